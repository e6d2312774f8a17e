#include "tests/sim/report_check.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/metering/output.h"
#include "common/metering/report.h"

namespace turnpike::sim {
namespace {

constexpr uint32_t kBucketsPerDay = 96;

// DayOf names the UTC day of a quarter of an hour since 1970.
std::string DayOf(uint32_t bucket) {
  const std::chrono::year_month_day date(
      std::chrono::sys_days(std::chrono::days(bucket / kBucketsPerDay)));
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text;
}

std::string KeyText(const std::string& account, const std::string& region,
                    const std::string& transport, const std::string& label,
                    const std::string& day) {
  return account + "|" + region + "|" + transport + "|" + label + "|" + day;
}

Tally ToTally(const UsageTotals& totals) {
  return {totals.payload_bytes, totals.wire_bytes, totals.packets};
}

// Rows of tallies, keyed by text, are compared like the tables.
using Rows = std::map<std::pair<uint32_t, std::string>, Tally>;

std::optional<std::string> CompareRows(const char* what, Rows audited, Rows shown) {
  Books a;
  Books s;
  a.parts = std::move(audited);
  s.parts = std::move(shown);
  auto difference = FirstDifference(a, s);
  if (difference) difference = std::string(what) + ": " + *difference;
  return difference;
}

Rows AuditedRows(const Books& audited, bool by_day) {
  Rows rows;
  for (const auto& [key, tally] : audited.buckets) {
    const auto& [bucket, account, region, transport, label] = key;
    const std::string day = by_day ? DayOf(bucket) : "";
    rows[{0, KeyText(account, region, transport, label, day)}] += tally;
  }
  return rows;
}

// JsonBillable sums `billable_bytes` over the rows of a JSON report.
uint64_t JsonBillable(const std::string& text) {
  const auto report = nlohmann::json::parse(text);
  uint64_t sum = 0;
  for (const auto& row : report.at("rows")) {
    sum += row.at("billable_bytes").get<uint64_t>();
  }
  return sum;
}

uint64_t AuditedBillable(const Books& audited) {
  uint64_t sum = 0;
  for (const auto& [id, session] : audited.sessions) sum += session.tally.billable();
  return sum;
}

std::optional<std::string> UsageDifference(const Books& audited, const std::string& directory,
                                           bool by_day) {
  ReportQuery query{
      .directory = directory,
      .period = {},
      .by = {ReportKey::kAccount, ReportKey::kRegion, ReportKey::kTransport, ReportKey::kLabel}};
  if (by_day) query.by.push_back(ReportKey::kDay);
  const auto report = UsageReport(query);
  if (!report) return report.error();
  if (!report->scope.complete) return "the report of a closed ledger is not complete";
  Rows shown;
  uint64_t sessions = 0;
  for (const ReportRow& row : report->rows) {
    sessions += row.sessions;
    if (row.totals == UsageTotals{}) continue;  // only sessions that relayed nothing
    shown[{0, KeyText(row.account, row.region, row.transport, row.label, row.day)}] =
        ToTally(row.totals);
  }
  if (sessions != audited.sessions.size()) {
    return "the usage report counts " + std::to_string(sessions) + " sessions, there were " +
           std::to_string(audited.sessions.size());
  }
  std::ostringstream json;
  WriteReport(*report, ReportFormat::kJson, json);
  if (JsonBillable(json.str()) != AuditedBillable(audited)) {
    return "the JSON report's sum is not " + std::to_string(AuditedBillable(audited)) + ": " +
           json.str();
  }
  return CompareRows("usage report", AuditedRows(audited, by_day), std::move(shown));
}

std::optional<std::string> SessionsDifference(const Books& audited, const std::string& directory) {
  Rows expected;
  for (const auto& [id, session] : audited.sessions) expected[{0, id}] = session.tally;
  Rows shown;
  const SessionQuery query{
      .directory = directory, .period = {}, .account = std::nullopt, .region = std::nullopt};
  const auto read = SessionsReport(query, {.begin = [](const ReportScope&) { return true; },
                                           .row =
                                               [&](const SessionRow& row) {
                                                 shown[{0, FormatSessionId(row.id)}] =
                                                     ToTally(row.totals);
                                                 return true;
                                               }});
  if (!read) return read.error();
  if (auto d = CompareRows("session report", std::move(expected), std::move(shown))) return d;
  std::ostringstream json;
  if (const auto ok = WriteSessions(query, ReportFormat::kJson, json); !ok) return ok.error();
  if (JsonBillable(json.str()) != AuditedBillable(audited)) {
    return "the JSON session report's sum is wrong";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> ReportDifference(const Books& audited, const std::string& directory,
                                            bool by_day) {
  if (auto difference = UsageDifference(audited, directory, by_day)) return difference;
  return SessionsDifference(audited, directory);
}

}  // namespace turnpike::sim
