// `turnpike usage verify`: does the ledger agree with itself, and with what was closed?
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "common/metering/verify.h"
#include "tools/turnpike/complain.h"
#include "tools/turnpike/usage_commands.h"

namespace turnpike {
namespace {

// VerifyProgress rewrites one line on a terminal; a log stays free of it.
class VerifyProgress {
 public:
  void operator()(std::string_view step, uint64_t percent) {
    if (!is_terminal_ || (step == step_ && percent == percent_)) return;
    step_ = step;
    percent_ = percent;
    std::cerr << "\r\033[Kreading " << step_;
    if (percent_ > 0) std::cerr << ' ' << percent_ << " %";
    std::cerr << std::flush;
  }
  void Clear() const {
    if (is_terminal_) std::cerr << "\r\033[K" << std::flush;
  }

 private:
  const bool is_terminal_ = isatty(STDERR_FILENO) != 0;
  std::string step_;
  uint64_t percent_ = 0;
};

int RunVerify(const std::string& ledger, const std::string& head) {
  VerifyProgress show;
  VerifyOptions options;
  options.ledger = ledger;
  if (!head.empty()) options.head = head;
  options.progress = [&](std::string_view step, uint64_t percent) { show(step, percent); };
  const auto report = VerifyLedger(options);
  show.Clear();
  if (!report) return Complain(report.error());
  for (const VerifyCheck& check : report->checks) {
    std::cout << (check.ok ? "ok    " : "WRONG ") << check.name
              << std::string(12 - check.name.size(), ' ') << check.text << "\n";
  }
  std::cout << "as of: " << FormatRfc3339(report->as_of) << "\n"
            << (report->ok() ? "the ledger agrees with itself\n" : "the ledger is NOT in order\n");
  std::cout.flush();
  return report->ok() && std::cout.good() ? 0 : 1;
}

}  // namespace

void AddVerifyCommand(CLI::App& usage, int* exit_status) {
  struct Options {
    std::string ledger;
    std::string head;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const verify = usage.add_subcommand(
      "verify", "Check schema, sums and the chain of closed periods; names the first difference");
  verify
      ->add_option("--ledger", options->ledger, "The server's metering.directory, or a merged file")
      ->type_name("DIRECTORY")
      ->required();
  verify->add_option("--head", options->head, "A head of the chain that closing printed")
      ->type_name("HASH");
  verify->callback(
      [options, exit_status] { *exit_status = RunVerify(options->ledger, options->head); });
}

}  // namespace turnpike
