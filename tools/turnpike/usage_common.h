// What the subcommands of `turnpike usage` share.
#pragma once

#include <optional>
#include <string>

#include "common/metering/rate_card.h"
#include "common/metering/rating.h"
#include "config/rates.h"
#include "tools/turnpike/complain.h"

namespace CLI {
class App;
}

namespace turnpike {

// Finish says whether all of the report reached standard output: a full disk must not pass for a
// report that is whole. It returns the exit status.
int Finish();

// LoadRatesOrPrintProblems loads the rates at `path` for `time`, or writes every problem to
// standard error, a line each, and returns nullopt.
std::optional<RateTable> LoadRatesOrPrintProblems(const std::string& path,
                                                  const std::optional<config::RatedTime>& time);

// WarnOfBooks says on standard error where the books of closed months (`usage close`) differ from
// what prices the ledger as it is now: bytes that came after `period` was closed, unless its
// invoices are the `frozen` ones, and corrections of earlier months that were booked into it
// without a price. Where no month was closed it says nothing.
void WarnOfBooks(const std::string& ledger, const BillingPeriod& period, bool frozen);

// AddLedgerOption, AddRatesOption and AddPeriodOption add the required options --ledger, --rates
// and --period.
void AddLedgerOption(CLI::App& command, std::string& ledger);
void AddRatesOption(CLI::App& command, std::string& rates);
void AddPeriodOption(CLI::App& command, std::string& period);

}  // namespace turnpike
