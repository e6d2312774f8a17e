#include "tools/turnpike/usage.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/metering/output.h"
#include "common/metering/report.h"
#include "tools/turnpike/usage_commands.h"
#include "tools/turnpike/usage_common.h"

namespace turnpike {
namespace {

// ReportOptions are what both commands take, as text.
struct ReportOptions {
  std::string ledger;
  std::string from;
  std::string to;
  std::string zone = "UTC";
  std::vector<std::string> by = {"account", "region"};
  std::string format = "table";
  std::string rates;
  std::optional<std::string> account;
  std::optional<std::string> region;
};

// ShowPercent tells a person who waits how far a reading is; a pipe hears nothing.
void ShowPercent(int percent) {
  std::cerr << "\rreading parts of sessions: " << percent << "%" << std::flush;
}

int RunReport(const ReportOptions& options) {
  const auto zone = TimeZone::Find(options.zone);
  if (!zone) return Complain("--zone: " + zone.error());
  const auto period = ParsePeriod(options.from, options.to, *zone);
  if (!period) return Complain(period.error());
  const auto by = ParseReportKeys(options.by);
  if (!by) return Complain("--by: " + by.error());
  const auto format = ParseReportFormat(options.format);
  if (!format) return Complain("--format: " + format.error());
  ReportQuery query{options.ledger, *period, *by, *zone};
  std::optional<RateTable> rates;
  if (!options.rates.empty()) {
    rates = LoadRatesOrPrintProblems(options.rates, std::nullopt);
    if (!rates) return 1;
    query.rates = &*rates;
  }
  const bool is_watched = isatty(STDERR_FILENO) != 0;
  if (is_watched) query.progress = ShowPercent;
  const auto report = UsageReport(query);
  if (is_watched && std::ranges::count(*by, ReportKey::kEdge) != 0) std::cerr << "\r\x1b[K";
  if (!report) return Complain(report.error());
  WriteReport(*report, *format, std::cout);
  return Finish();
}

int RunSessions(const ReportOptions& options) {
  const auto zone = TimeZone::Find(options.zone);
  if (!zone) return Complain("--zone: " + zone.error());
  const auto period = ParsePeriod(options.from, options.to, *zone);
  if (!period) return Complain(period.error());
  const auto format = ParseReportFormat(options.format);
  if (!format) return Complain("--format: " + format.error());
  const SessionQuery query{options.ledger, *period, options.account, options.region};
  if (auto ok = WriteSessions(query, *format, std::cout); !ok) return Complain(ok.error());
  return Finish();
}

void AddCommonOptions(CLI::App& command, ReportOptions& options) {
  AddLedgerOption(command, options.ledger);
  command.add_option("--from", options.from, "First instant: 2026-11-01 or 2026-11-01T12:15Z")
      ->type_name("TIME");
  command.add_option("--to", options.to, "First instant after the period")->type_name("TIME");
  command
      .add_option("--zone", options.zone,
                  "Where days and months begin, those of --from and --to too: Europe/Berlin")
      ->type_name("ZONE")
      ->capture_default_str();
  command.add_option("--format", options.format, "table, csv, json or jsonl")
      ->type_name("FORMAT")
      ->capture_default_str();
}

}  // namespace

void AddUsageCommand(CLI::App& app, int* exit_status) {
  CLI::App* const usage =
      app.add_subcommand("usage", "Report what accounts used, also beside a running server");
  usage->require_subcommand(1);
  const auto options = std::make_shared<ReportOptions>();

  CLI::App* const report = usage->add_subcommand("report", "Usage by account, region, day, ...");
  AddCommonOptions(*report, *options);
  report->add_option("--by", options->by, "account, region, transport, label, day, month, edge")
      ->delimiter(',')
      ->type_name("NAMES")
      ->capture_default_str();
  report->add_option("--rates", options->rates, "Also say what it costs: a file of rate cards")
      ->type_name("FILE");
  report->callback([options, exit_status] { *exit_status = RunReport(*options); });

  CLI::App* const sessions = usage->add_subcommand(
      "sessions", "Each session that overlaps the period; bytes are those within it");
  AddCommonOptions(*sessions, *options);
  sessions->add_option("--account", options->account, "Only this account's sessions");
  sessions->add_option("--region", options->region, "Only this region's sessions");
  sessions->callback([options, exit_status] { *exit_status = RunSessions(*options); });

  AddPeriodCommands(*usage, exit_status);
  AddMergeCommand(*usage, exit_status);
  AddBackupCommand(*usage, exit_status);
  AddReconcileCommand(*usage, exit_status);
  AddVerifyCommand(*usage, exit_status);
  AddInvoiceCommands(*usage, exit_status);
  AddFocusCommand(*usage, exit_status);

  usage->footer(
      "Examples:\n"
      "  turnpike usage report --ledger /var/lib/turnpike --from 2026-11-01 --to 2026-12-01\n"
      "  turnpike usage report --ledger /var/lib/turnpike --by account,day --format csv\n"
      "  turnpike usage report --ledger /var/lib/turnpike --by month,label --rates rates.yaml\n"
      "  turnpike usage sessions --ledger /var/lib/turnpike --account acme --format json\n"
      "  turnpike usage invoice --ledger /var/lib/turnpike --rates rates.yaml --period 2026-11 "
      "--account acme");
}

}  // namespace turnpike
