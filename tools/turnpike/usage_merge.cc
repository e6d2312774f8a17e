// `turnpike usage merge`: the ledgers of many nodes in one file.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "common/base/log.h"
#include "common/metering/merge.h"
#include "tools/turnpike/usage_commands.h"
#include "tools/turnpike/usage_common.h"

namespace turnpike {
namespace {

int RunMerge(MergeOptions options) {
  const bool is_terminal = isatty(STDERR_FILENO) != 0;
  if (is_terminal) {
    options.progress = [](std::string_view source) {
      std::cerr << "\r\033[Kreading " << EscapeText(source) << std::flush;
    };
  }
  const auto report = MergeLedgers(options);
  if (is_terminal) std::cerr << "\r\033[K" << std::flush;
  if (!report) return Complain(report.error());
  std::cout << options.output << ": " << report->ledgers << " ledgers, " << report->boots
            << " boots, " << report->sessions << " sessions (" << report->new_sessions << " new), "
            << report->billable_bytes << " billable bytes\nas of: " << FormatRfc3339(report->as_of)
            << (report->is_closed ? ", every ledger was closed cleanly\n" : "\n");
  for (const MergeGap& gap : report->gaps) {
    std::cout << "gap: ";
    if (!gap.node.empty()) std::cout << "node " << EscapeText(gap.node) << ", ";
    if (!gap.boot.empty()) std::cout << "boot " << gap.boot << ": ";
    std::cout << gap.text << "\n";
  }
  if (const int status = Finish(); status != 0) return status;
  const auto missing = std::ranges::count_if(report->gaps, &MergeGap::is_missing);
  if (missing == 0) return 0;
  return Complain(std::to_string(missing) + " of the nodes of --nodes are not in " +
                  options.output + " yet; the rest is");
}

}  // namespace

void AddMergeCommand(CLI::App& usage, int* exit_status) {
  const auto options = std::make_shared<MergeOptions>();
  CLI::App* const merge = usage.add_subcommand(
      "merge", "Put the ledgers of several nodes into one file that every report reads");
  merge->add_option("sources", options->sources, "Ledger files or metering directories")
      ->type_name("FILE")
      ->required();
  merge->add_option("-o,--output", options->output, "A new file, or one that a merge made")
      ->type_name("FILE")
      ->required();
  merge
      ->add_option("--nodes", options->nodes,
                   "Nodes that must be in it: exits 1 when one is missing")
      ->delimiter(',')
      ->type_name("NAMES");
  merge->callback([options, exit_status] { *exit_status = RunMerge(*options); });
}

}  // namespace turnpike
