#include "tools/turnpike/usage_common.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "common/metering/billing.h"

namespace turnpike {

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

void WarnOfBooks(const std::string& ledger, const BillingPeriod& period, bool frozen) {
  const auto books = ReadPeriodBooks(ledger, period);
  if (!books) {
    std::cerr << "turnpike: warning: the books of closed months cannot be read: " << books.error()
              << "\n";
    return;
  }
  if (frozen) {
    std::cerr << "turnpike: " << period.name << " is closed: these are the amounts of its close\n";
  } else if (books->closed && books->later_bytes != 0) {
    std::cerr << "turnpike: warning: " << period.name << " was closed with " << books->billed_bytes
              << " bytes; this prices " << books->later_bytes
              << " more, which `turnpike usage correct` books into the next open month\n";
  }
  if (books->unpriced_bytes != 0) {
    std::cerr << "turnpike: warning: corrections of earlier months by " << books->unpriced_bytes
              << " bytes are booked into " << period.name
              << " without a price; months that were closed with --rates get one by `turnpike "
                 "usage correct --rates`\n";
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
