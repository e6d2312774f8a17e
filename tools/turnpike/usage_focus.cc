// `turnpike usage focus`: every account's charges of a month, for FinOps tools.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <optional>

#include "common/metering/focus.h"
#include "common/metering/invoices.h"
#include "tools/turnpike/usage_commands.h"
#include "tools/turnpike/usage_common.h"

namespace turnpike {
namespace {

struct FocusOptions {
  std::string ledger;
  std::string rates;
  std::string period;
  std::optional<std::string> account;
};

int RunFocus(const FocusOptions& options) {
  const auto period = ParseBillingPeriod(options.period);
  if (!period) return Complain("--period: " + period.error());
  const auto table =
      LoadRatesOrPrintProblems(options.rates, config::RatedTime{period->from, period->to});
  if (!table) return 1;
  const auto set = ReadInvoices(options.ledger, *table, *period, options.account);
  if (!set) return Complain(set.error());
  WarnOfBooks(options.ledger, *period, set->frozen);
  WriteFocus(*table, set->scope, set->invoices, std::cout);
  return Finish();
}

}  // namespace

void AddFocusCommand(CLI::App& usage, int* exit_status) {
  const auto options = std::make_shared<FocusOptions>();
  CLI::App* const focus =
      usage.add_subcommand("focus", "A month's charges as FOCUS 1.2 CSV, of one account or all");
  AddLedgerOption(*focus, options->ledger);
  AddRatesOption(*focus, options->rates);
  AddPeriodOption(*focus, options->period);
  focus->add_option("--account", options->account, "Only this account's charges");
  focus->callback([options, exit_status] { *exit_status = RunFocus(*options); });
}

}  // namespace turnpike
