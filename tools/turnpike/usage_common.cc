#include "tools/turnpike/usage_common.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "common/metering/billing.h"

namespace turnpike {

int Complain(const std::string& error) {
  std::cerr << "turnpike: " << error << "\n";
  return 1;
}

int Finish() {
  std::cout.flush();
  return std::cout.good() ? 0 : Complain("cannot write the report to standard output");
}

std::optional<RateTable> LoadRatesOrPrintProblems(const std::string& path,
                                                  const std::optional<config::RatedTime>& time) {
  auto rates = config::LoadRates(path, time);
  if (rates) return *std::move(rates);
  for (const config::Problem& problem : rates.error()) std::cerr << problem.ToString() << "\n";
  return std::nullopt;
}

void WarnOfBooks(const std::string& ledger, const BillingPeriod& period) {
  BillingRequest request;
  request.ledger = ledger;
  const auto periods = ListPeriods(request);
  if (!periods) {
    std::cerr << "turnpike: warning: the books of closed months cannot be read: " << periods.error()
              << "\n";
    return;
  }
  for (const PeriodStatus& each : *periods) {
    if (each.month.name != period.name) continue;
    const int64_t later = static_cast<int64_t>(each.totals.billable_bytes()) - each.billed_bytes;
    if (each.state == PeriodState::kClosed && later != 0) {
      std::cerr << "turnpike: warning: " << period.name << " was closed with " << each.billed_bytes
                << " bytes; this prices " << later
                << " more, which `turnpike usage correct` books into the next open month\n";
    }
    if (each.corrected_bytes != 0) {
      std::cerr << "turnpike: warning: corrections of earlier months by " << each.corrected_bytes
                << " bytes are booked into " << period.name
                << " and are not priced here; `turnpike usage periods` lists them\n";
    }
  }
}

void AddLedgerOption(CLI::App& command, std::string& ledger) {
  command.add_option("--ledger", ledger, "The server's metering.directory, or a merged file")
      ->type_name("DIRECTORY")
      ->required();
}

void AddRatesOption(CLI::App& command, std::string& rates) {
  command.add_option("--rates", rates, "The rate cards: a file like config/rates.yaml")
      ->type_name("FILE")
      ->required();
}

void AddPeriodOption(CLI::App& command, std::string& period) {
  command.add_option("--period", period, "The month, UTC: 2026-11")->type_name("MONTH")->required();
}

}  // namespace turnpike
