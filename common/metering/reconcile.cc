#include "common/metering/reconcile.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "common/metering/account_label.h"
#include "common/metering/ledger_schema.h"
#include "common/metering/sqlite.h"
#include "common/metering/usage.h"

namespace turnpike {
namespace {

constexpr std::string_view kMetric = "turn_billable_bytes_total";
constexpr uint64_t kExact = uint64_t{1} << 53;

// ParseValue reads a sample: digits, or a floating-point number as Prometheus writes large ones.
std::optional<uint64_t> ParseValue(std::string_view text) {
  const char* const end = text.data() + text.size();
  uint64_t whole = 0;
  if (const auto read = std::from_chars(text.data(), end, whole);
      read.ec == std::errc() && read.ptr == end) {
    return whole;
  }
  double value = 0;
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end || !(value >= 0 && value < 0x1p63) ||
      value != std::floor(value)) {
    return std::nullopt;
  }
  return static_cast<uint64_t>(value);
}

void Add(Figures& figures, const FigureKey& key, uint64_t value) {
  if (value > 0) figures[key] += value;
}

std::string* LabelOf(FigureKey& key, std::string_view name) {
  if (name == "account") return &key.account;
  if (name == "region") return &key.region;
  if (name == "direction") return &key.direction;
  return nullptr;
}

// ReadLabels takes `{name="value",...}` off the front of `line`; false when it is broken.
bool ReadLabels(std::string_view& line, FigureKey& key) {
  if (!line.starts_with('{')) return false;
  line.remove_prefix(1);
  while (!line.starts_with('}')) {
    const size_t equals = line.find("=\"");
    if (equals == std::string_view::npos) return false;
    const std::string_view name = line.substr(0, equals);
    line.remove_prefix(equals + 2);
    std::string value;
    for (; !line.starts_with('"'); line.remove_prefix(1)) {
      const bool is_escaped = line.starts_with('\\');
      if (is_escaped) line.remove_prefix(1);
      if (line.empty()) return false;
      value += is_escaped && line.front() == 'n' ? '\n' : line.front();
    }
    line.remove_prefix(1);
    if (std::string* const label = LabelOf(key, name)) *label = value;
    if (line.starts_with(',')) line.remove_prefix(1);
  }
  line.remove_prefix(1);
  return true;
}

std::expected<Figures, std::string> ParsePage(std::string_view text) {
  Figures figures;
  bool has_metric = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find("TYPE " + std::string(kMetric)) != std::string_view::npos) has_metric = true;
    if (!line.starts_with(kMetric)) continue;
    const std::string shown(line);
    line.remove_prefix(kMetric.size());
    FigureKey key;
    const bool has_labels = ReadLabels(line, key);
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const auto value = ParseValue(line.substr(0, line.find_first_of(" \r")));
    if (!has_labels || !value) {
      return std::unexpected("cannot read this line of metrics: " + EscapeText(shown));
    }
    has_metric = true;
    Add(figures, key, *value);
  }
  if (has_metric) return figures;
  return std::unexpected("there is no " + std::string(kMetric) +
                         " in it: is it a page of Turnpike's metrics?");
}

std::expected<Figures, std::string> ParseAnswer(std::string_view text) {
  try {
    const auto answer = nlohmann::json::parse(text);
    if (answer.at("status") != "success") {
      return std::unexpected("Prometheus says: " + answer.value("error", "an error"));
    }
    Figures figures;
    for (const auto& series : answer.at("data").at("result")) {
      const auto& labels = series.at("metric");
      const FigureKey key = {labels.value("account", ""), labels.value("region", ""),
                             labels.value("direction", "")};
      const auto text_value = series.at("value").at(1).get<std::string>();
      const auto value = ParseValue(text_value);
      if (!value) return std::unexpected("\"" + EscapeText(text_value) + "\" is no count of bytes");
      Add(figures, key, *value);
    }
    return figures;
  } catch (const nlohmann::json::exception& error) {
    return std::unexpected(std::string("not an answer of Prometheus: ") + error.what());
  }
}

bool Equal(uint64_t a, uint64_t b) {
  if (a < kExact || b < kExact) return a == b;
  return static_cast<double>(a) == static_cast<double>(b);
}

}  // namespace

std::expected<LedgerFigures, std::string> ReadLedgerFigures(const std::string& ledger) {
  auto opened = OpenLedgerForReading(ledger);
  if (!opened) return std::unexpected(opened.error());
  Database& database = **opened;
  database.Exec("BEGIN");
  LedgerFigures figures;
  figures.as_of = WallTime(std::chrono::microseconds(database.QueryInt("SELECT as_of FROM meta")));
  Statement rows(database,
                 "SELECT name, region, client_to_peer_bytes, peer_to_client_bytes "
                 "FROM usage_total JOIN account ON key = account");
  while (rows.Step()) {
    for (int d = 0; d < kDirectionCount; ++d) {
      Add(figures.figures,
          {AccountLabel(rows.Bytes(0)), EscapeText(rows.Bytes(1)),
           std::string(DirectionName(static_cast<Direction>(d)))},
          rows.Total(2 + d));
    }
  }
  if (!database.ok()) return std::unexpected("cannot read " + database.error());
  return figures;
}

std::expected<Figures, std::string> ParseFigures(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  const bool is_json = first != std::string_view::npos && text[first] == '{';
  return is_json ? ParseAnswer(text) : ParsePage(text);
}

std::vector<Difference> Reconcile(const Figures& ledger, const Figures& other) {
  std::set<std::string> named;
  bool has_others = false;
  for (const auto& [key, value] : other) {
    named.insert(key.account);
    has_others = has_others || key.account == kOtherAccounts;
  }
  std::map<FigureKey, Difference> pairs;
  for (const auto& [series, value] : ledger) {
    FigureKey key = series;
    if (has_others && !named.contains(key.account)) key.account = kOtherAccounts;
    pairs[key].ledger += value;
  }
  for (const auto& [key, value] : other) pairs[key].other += value;
  std::vector<Difference> differences;
  for (auto& [key, pair] : pairs) {
    if (Equal(pair.ledger, pair.other)) continue;
    pair.key = key;
    differences.push_back(pair);
  }
  return differences;
}

}  // namespace turnpike
