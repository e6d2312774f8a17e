// `turnpike usage reconcile`: the ledger against Prometheus, a page of metrics, or another ledger.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/log.h"
#include "common/metering/reconcile.h"
#include "tools/turnpike/http_client.h"
#include "tools/turnpike/usage_commands.h"
#include "tools/turnpike/usage_common.h"

namespace turnpike {
namespace {

// What a Prometheus server is asked when the URL names no path: instances are added up.
constexpr const char* kQuery =
    "/api/v1/query?query=sum%20by%20(account%2Cregion%2Cdirection)%20(turn_billable_bytes_total)";

struct ReconcileOptions {
  std::string ledger;
  std::string prometheus;
  std::string with;
};

std::expected<std::string, std::string> Fetch(std::string place) {
  if (place == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  constexpr std::string_view kFile = "file://";
  if (place.starts_with(kFile)) place.erase(0, kFile.size());
  const size_t scheme = place.find("://");
  if (scheme == std::string::npos) {
    std::ifstream in(place, std::ios::binary);
    if (!in) return std::unexpected("cannot read " + place);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  const size_t path = place.find('/', scheme + 3);
  if (path == std::string::npos) return HttpGet(place + kQuery);
  if (path + 1 == place.size()) return HttpGet(place.substr(0, path) + kQuery);
  return HttpGet(place);
}

std::expected<Figures, std::string> ReadOther(const ReconcileOptions& options) {
  if (!options.with.empty()) {
    auto other = ReadLedgerFigures(options.with);
    if (!other) return std::unexpected(other.error());
    std::cout << "as of: " << FormatRfc3339(other->as_of) << ", " << options.with << "\n";
    return std::move(other->figures);
  }
  const auto text = Fetch(options.prometheus);
  if (!text) return std::unexpected(text.error());
  return ParseFigures(*text);
}

// Signed renders a difference with its sign.
std::string Signed(uint64_t ledger, uint64_t other) {
  return ledger >= other ? "+" + std::to_string(ledger - other)
                         : "-" + std::to_string(other - ledger);
}

// Shown makes a label of another server harmless for a terminal. The ledger's are escaped already:
// their backslashes stay.
std::string Shown(std::string_view label) {
  std::string shown;
  for (;;) {
    const size_t end = label.find('\\');
    shown += EscapeText(label.substr(0, end));
    if (end == std::string_view::npos) return shown;
    shown += '\\';
    label.remove_prefix(end + 1);
  }
}

void Print(const std::vector<Difference>& differences) {
  size_t account = std::string_view("account").size();
  size_t region = std::string_view("region").size();
  for (const Difference& row : differences) {
    account = std::max(account, Shown(row.key.account).size());
    region = std::max(region, Shown(row.key.region).size());
  }
  const auto line = [&](const auto& a, const auto& r, const auto& d, const auto&... numbers) {
    std::cout << fmt::format("{:<{}}  {:<{}}  {:<14}", a, account, r, region, d);
    ((std::cout << fmt::format("  {:>20}", numbers)), ...);
    std::cout << "\n";
  };
  line("account", "region", "direction", "ledger", "other", "difference");
  for (const Difference& row : differences) {
    line(Shown(row.key.account), Shown(row.key.region), Shown(row.key.direction), row.ledger,
         row.other, Signed(row.ledger, row.other));
  }
}

int RunReconcile(const ReconcileOptions& options) {
  if (options.prometheus.empty() == options.with.empty()) {
    return Complain("name one of --prometheus and --with: what to hold the ledger against");
  }
  // The other side first: what it knows is then in the ledger, which only grows.
  const auto other = ReadOther(options);
  if (!other) return Complain(other.error());
  const auto ledger = ReadLedgerFigures(options.ledger);
  if (!ledger) return Complain(ledger.error());
  const auto differences = Reconcile(ledger->figures, *other);
  std::cout << "as of: " << FormatRfc3339(ledger->as_of) << ", the ledger\n";
  if (differences.empty()) {
    uint64_t sum = 0;
    for (const auto& [key, value] : ledger->figures) sum += value;
    std::cout << "difference 0: " << ledger->figures.size() << " series, " << sum
              << " billable bytes on both sides\n";
    return Finish();
  }
  Print(differences);
  std::cout << differences.size() << " series differ. "
            << (options.with.empty()
                    ? "A running server's ledger is ahead of what was scraped before: stop the "
                      "traffic, or try again\n"
                    : "One of the ledgers may be older than the other, or lack a node's\n");
  Finish();
  return 1;
}

}  // namespace

void AddReconcileCommand(CLI::App& usage, int* exit_status) {
  const auto options = std::make_shared<ReconcileOptions>();
  CLI::App* const reconcile = usage.add_subcommand(
      "reconcile", "Hold the ledger's totals against Prometheus, or against another ledger");
  AddLedgerOption(*reconcile, options->ledger);
  reconcile
      ->add_option("--prometheus", options->prometheus,
                   "http://HOST:PORT of a Prometheus server, a page of metrics "
                   "(http://HOST:9641/metrics), a file, or - for standard input")
      ->type_name("URL");
  reconcile->add_option("--with", options->with, "Another ledger")->type_name("FILE");
  reconcile->callback([options, exit_status] { *exit_status = RunReconcile(*options); });
}

}  // namespace turnpike
