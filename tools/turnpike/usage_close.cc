// `turnpike usage periods`, `close`, `correct` and `corrections`: months are closed once and
// corrected after.
#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/log.h"
#include "common/metering/billing.h"
#include "common/metering/billing_columns.h"
#include "common/metering/output.h"
#include "tools/turnpike/usage_commands.h"
#include "tools/turnpike/usage_common.h"

namespace turnpike {
namespace {

struct CloseOptions {
  std::string ledger;
  std::string month;
  std::string actor;
  std::string reason = "late data";
  std::string grace = "3d";
  std::string format = "table";
  std::string rates;
  bool allow_less = false;
};

// UserName is who runs this: what an actor is unless told otherwise.
std::string UserName() {
  const passwd* user = getpwuid(geteuid());
  return user != nullptr ? user->pw_name : "uid " + std::to_string(geteuid());
}

std::expected<BillingRequest, std::string> RequestOf(const CloseOptions& options) {
  const auto grace = ParseDuration(options.grace);
  if (!grace) return std::unexpected("--grace: " + grace.error());
  if (options.reason.empty()) return std::unexpected("--reason: a correction needs a reason");
  BillingRequest request;
  request.ledger = options.ledger;
  request.actor = options.actor.empty() ? UserName() : options.actor;
  request.reason = options.reason;
  request.grace = *grace;
  request.now = std::chrono::floor<WallTime::duration>(std::chrono::system_clock::now());
  request.allow_less = options.allow_less;
  return request;
}

// Write writes `rows` with the columns of a table.
template <typename Row, size_t N>
int Write(const std::vector<Row>& rows, const std::array<Column<Row>, N>& table,
          const ReportScope& scope, OutputTotal total, ReportFormat format) {
  const auto writer = MakeRowWriter(format, std::cout);
  std::vector<OutputColumn> columns;
  for (const auto& column : table) columns.push_back({column.name, column.in_table});
  writer->Begin(scope, std::move(columns));
  for (const Row& row : rows) {
    std::vector<Cell> cells;
    for (const auto& column : table) cells.push_back(column.value(row));
    writer->Row(cells);
  }
  total.rows = rows.size();
  writer->End(total);
  return Finish();
}

// Months is what both lists begin with.
struct Months {
  ReportFormat format;
  std::vector<PeriodStatus> periods;
};

std::expected<Months, std::string> ReadMonths(const CloseOptions& options) {
  const auto request = RequestOf(options);
  if (!request) return std::unexpected(request.error());
  const auto format = ParseReportFormat(options.format);
  if (!format) return std::unexpected("--format: " + format.error());
  auto periods = ListPeriods(*request);
  if (!periods) return std::unexpected(periods.error());
  return Months{*format, std::move(*periods)};
}

int RunPeriods(const CloseOptions& options) {
  const auto months = ReadMonths(options);
  if (!months) return Complain(months.error());
  ReportScope scope;
  scope.complete = true;
  OutputTotal total;
  for (const PeriodStatus& period : months->periods) {
    scope.as_of = std::max(scope.as_of, period.as_of);
    scope.complete = scope.complete && period.complete;
    total.sessions += period.sessions;
    total.billable_bytes += period.totals.billable_bytes();
  }
  return Write(months->periods, kPeriodColumns, scope, total, months->format);
}

// RunCorrections is complete when nothing that came late waits for a correction.
int RunCorrections(const CloseOptions& options) {
  const auto months = ReadMonths(options);
  if (!months) return Complain(months.error());
  const auto corrections = ReadCorrections(options.ledger);
  if (!corrections) return Complain(corrections.error());
  ReportScope scope;
  scope.complete = true;
  for (const PeriodStatus& period : months->periods) {
    scope.as_of = std::max(scope.as_of, period.as_of);
    scope.complete = scope.complete && period.late_bytes == 0;
  }
  if (corrections->empty() && months->format == ReportFormat::kTable) {
    std::cout << (scope.complete ? "nothing came late: there are no corrections\n"
                                 : "nothing was corrected yet; what came late waits for `turnpike "
                                   "usage correct`\n");
    return Finish();
  }
  int64_t bytes = 0;
  for (const BillingEntry& entry : *corrections) bytes += entry.counts[0] + entry.counts[1];
  OutputTotal total;
  total.summary = "total: " + std::to_string(corrections->size()) + " corrections, " +
                  std::to_string(bytes) + " billable bytes";
  return Write(*corrections, kCorrectionColumns, scope, total, months->format);
}

void PrintHead(const CloseResult& result) {
  std::cout << "head of the chain: " << FormatDigest(result.head)
            << "\n(keep it: turnpike usage verify --head HASH proves that nothing was removed)\n";
}

// ReadWhole returns what is in the file, for its hash; loading it has found it readable.
std::string ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// TakeRates reads --rates into `rates`, which `request` then points to; false after a complaint.
bool TakeRates(const CloseOptions& options, const std::optional<config::RatedTime>& time,
               std::optional<RateTable>& rates, BillingRequest& request) {
  if (options.rates.empty()) return true;
  rates = LoadRatesOrPrintProblems(options.rates, time);
  if (!rates) return false;
  request.rates = &*rates;
  request.rates_hash = FormatDigest(Sha256(ReadWhole(options.rates)));
  return true;
}

int RunClose(const CloseOptions& options) {
  auto request = RequestOf(options);
  if (!request) return Complain(request.error());
  const auto month = ParseBillingPeriod(options.month);
  if (!month) return Complain(month.error());
  std::optional<RateTable> rates;
  if (!TakeRates(options, config::RatedTime{month->from, month->to}, rates, *request)) return 1;
  const auto result = ClosePeriod(*request, *month);
  if (!result) return Complain(result.error());
  if (result->was_closed && result->invoices > 0) {
    std::cout << month->name << " was closed without rates; it has " << result->invoices
              << " invoices now\n";
  } else if (result->was_closed) {
    std::cout << month->name << " is closed already; nothing was changed\n";
  } else {
    std::cout << month->name << " is closed: " << result->rows << " rows of usage, "
              << result->corrections << " corrections of earlier periods, "
              << result->billable_bytes << " billable bytes, " << result->invoices << " invoices, "
              << result->priced << " priced lines of corrections\n";
  }
  if (result->late > 0) {
    std::cout << result->late
              << " rows of closed periods have grown since: the next close corrects them, or now: "
                 "turnpike usage correct\n";
  }
  PrintHead(*result);
  return 0;
}

int RunCorrect(const CloseOptions& options) {
  auto request = RequestOf(options);
  if (!request) return Complain(request.error());
  std::optional<RateTable> rates;
  if (!TakeRates(options, std::nullopt, rates, *request)) return 1;
  const auto result = CorrectPeriods(*request);
  if (!result) return Complain(result.error());
  if (result->corrections == 0 && result->priced == 0) {
    std::cout << "nothing came late: the ledger has what was closed\n";
  } else {
    std::cout << result->corrections << " corrections, " << result->billable_bytes
              << " billable bytes, " << result->priced << " priced lines\n";
  }
  PrintHead(*result);
  return 0;
}

void AddActor(CLI::App& command, CloseOptions& options) {
  command.add_option("--actor", options.actor, "Who does this; the user's name without it")
      ->type_name("NAME");
  command.add_option("--reason", options.reason, "Why late usage is corrected")
      ->type_name("TEXT")
      ->capture_default_str();
}

void AddFormat(CLI::App& command, CloseOptions& options) {
  command.add_option("--format", options.format, "table, csv, json or jsonl")
      ->type_name("FORMAT")
      ->capture_default_str();
}

void AddGrace(CLI::App& command, CloseOptions& options) {
  command.add_option("--grace", options.grace, "How long usage may arrive after a period's end")
      ->type_name("DURATION")
      ->capture_default_str();
}

}  // namespace

void AddPeriodCommands(CLI::App& usage, int* exit_status) {
  const auto options = std::make_shared<CloseOptions>();
  CLI::App* const periods = usage.add_subcommand("periods", "Months: open, grace, ready or closed");
  AddLedgerOption(*periods, options->ledger);
  AddGrace(*periods, *options);
  AddFormat(*periods, *options);
  periods->callback([options, exit_status] { *exit_status = RunPeriods(*options); });

  CLI::App* const close = usage.add_subcommand(
      "close", "Freeze a month's usage; also books what came late to earlier ones");
  close->add_option("month", options->month, "2026-11")->type_name("MONTH")->required();
  AddLedgerOption(*close, options->ledger);
  AddActor(*close, *options);
  AddGrace(*close, *options);
  close
      ->add_option("--rates", options->rates,
                   "Also freeze each account's invoice, and price corrections, by these rates")
      ->type_name("FILE");
  close->callback([options, exit_status] { *exit_status = RunClose(*options); });

  CLI::App* const correct = usage.add_subcommand(
      "correct", "Book what came late to closed months into the next open one");
  AddLedgerOption(*correct, options->ledger);
  AddActor(*correct, *options);
  correct
      ->add_option("--rates", options->rates,
                   "Also price corrections of months whose invoices were frozen by these rates")
      ->type_name("FILE");
  correct->add_flag("--allow-less", options->allow_less, "Also credit what the ledger has no more");
  correct->callback([options, exit_status] { *exit_status = RunCorrect(*options); });

  CLI::App* const corrections = usage.add_subcommand(
      "corrections", "What was booked late: by whom, why, and the row that it corrects");
  AddLedgerOption(*corrections, options->ledger);
  AddFormat(*corrections, *options);
  corrections->callback([options, exit_status] { *exit_status = RunCorrections(*options); });
}

}  // namespace turnpike
