#include "tools/turnpike/usage_common.h"

#include <CLI/CLI.hpp>
#include <iostream>

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
