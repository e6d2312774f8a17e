#include "common/metering/report.h"

#include <algorithm>
#include <memory>

#include "common/metering/reading.h"

namespace turnpike {
namespace {

using std::chrono::microseconds;

// KeyColumn says how a key is named, read from `usage`, and stored in a row.
struct KeyColumn {
  std::string_view name;
  std::string_view sql;
  std::string ReportRow::* field;
};

constexpr std::array<KeyColumn, kReportKeyCount> kKeys = {{
    {"account", "account.name", &ReportRow::account},
    {"region", "region", &ReportRow::region},
    {"transport", "transport", &ReportRow::transport},
    {"label", "label", &ReportRow::label},
    {"day", "strftime('%Y-%m-%d', bucket * 900, 'unixepoch')", &ReportRow::day},
    {"month", "strftime('%Y-%m', bucket * 900, 'unixepoch')", &ReportRow::month},
}};

const KeyColumn& ColumnOf(ReportKey key) { return kKeys[static_cast<size_t>(key)]; }

// Buckets ?1 to ?2.
constexpr std::string_view kUsage =
    "FROM usage_bucket JOIN account ON account.key = account WHERE bucket >= ?1 AND bucket < ?2 ";

constexpr std::string_view kSums =
    "sum(sessions), sum(client_to_peer_bytes), sum(peer_to_client_bytes), "
    "sum(client_to_peer_wire_bytes), sum(peer_to_client_wire_bytes), "
    "sum(client_to_peer_packets), sum(peer_to_client_packets) ";

constexpr const char* kSessions = R"sql(
SELECT session.key, session.id, node, edge, account.name, region, username, label, transport,
  client_address, relayed_address, started_at, ended_at, close_reason,
  part.a, part.b, part.c, part.d, part.e, part.f
FROM session
JOIN boot ON boot.key = session.boot
JOIN account ON account.key = session.account
LEFT JOIN (
  SELECT session, sum(client_to_peer_bytes) AS a, sum(peer_to_client_bytes) AS b,
    sum(client_to_peer_wire_bytes) AS c, sum(peer_to_client_wire_bytes) AS d,
    sum(client_to_peer_packets) AS e, sum(peer_to_client_packets) AS f
  FROM usage_part WHERE bucket >= ?1 AND bucket < ?2 GROUP BY session
) AS part ON part.session = session.key
WHERE (part.session IS NOT NULL OR
       (started_at < ?4 AND (started_at >= ?3 OR ended_at IS NULL OR ended_at > ?3)))
  AND (?5 IS NULL OR account.name = ?5) AND (?6 IS NULL OR region = ?6)
ORDER BY started_at, session.key
)sql";

SessionRow ReadSession(const Statement& s) {
  SessionRow row;
  const std::string id = s.Bytes(1);
  std::copy_n(id.begin(), std::min(id.size(), row.id.size()), row.id.begin());
  int column = 2;
  for (std::string* field :
       {&row.node, &row.edge, &row.account, &row.region, &row.username, &row.label, &row.transport,
        &row.client_address, &row.relayed_address}) {
    *field = s.Bytes(column++);
  }
  row.started_at = WallTime(microseconds(s.Int(11)));
  if (!s.IsNull(12)) {
    row.ended_at = WallTime(microseconds(s.Int(12)));
    row.close_reason = s.Bytes(13);
  }
  row.totals = ReadTotals(s, 14);
  return row;
}

std::expected<std::optional<WallTime>, std::string> ParseBound(const std::string& name,
                                                               const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto time = ParseDate(text);
  if (!time) return std::unexpected(name + ": " + time.error());
  if (BucketStart(BucketOf(*time)) == *time) return *time;
  return std::unexpected(name + ": " + text +
                         " is not a multiple of 15 minutes since 1970, which usage is kept by");
}

}  // namespace

std::string_view ReportKeyName(ReportKey key) { return ColumnOf(key).name; }

std::expected<std::vector<ReportKey>, std::string> ParseReportKeys(
    std::span<const std::string> names) {
  std::vector<ReportKey> keys;
  for (const std::string& name : names) {
    const auto* column = std::ranges::find(kKeys, name, &KeyColumn::name);
    if (column == kKeys.end()) {
      return std::unexpected("cannot group by \"" + name +
                             "\": known are account, region, transport, label, day and month");
    }
    const auto key = static_cast<ReportKey>(column - kKeys.begin());
    if (std::ranges::find(keys, key) != keys.end()) {
      return std::unexpected("cannot group by " + name + " twice");
    }
    keys.push_back(key);
  }
  if (keys.empty()) return std::unexpected("a report is grouped by one name at least");
  return keys;
}

std::expected<Period, std::string> ParsePeriod(const std::string& from, const std::string& to) {
  auto first = ParseBound("--from", from);
  if (!first) return std::unexpected(first.error());
  auto end = ParseBound("--to", to);
  if (!end) return std::unexpected(end.error());
  if (*first && *end && **first >= **end) {
    return std::unexpected(
        "--to must be later than --from: it is the first instant after the period");
  }
  return Period{*first, *end};
}

std::expected<Report, std::string> UsageReport(const ReportQuery& query) {
  Report report;
  report.by = query.by;
  const auto database = BeginReading(query.directory, query.period, report.scope);
  if (!database) return std::unexpected(database.error());
  std::string names;
  std::string positions;
  for (size_t i = 0; i < query.by.size(); ++i) {
    names += std::string(ColumnOf(query.by[i]).sql) + ", ";
    positions += (i == 0 ? "" : ", ") + std::to_string(i + 1);
  }
  Statement statement(**database, "SELECT " + names + std::string(kSums) + std::string(kUsage) +
                                      "GROUP BY " + positions + " ORDER BY " + positions);
  const ReadingBounds bounds(query.period);
  statement.Bind(bounds.first_bucket, bounds.end_bucket);
  while (statement.Step()) {
    ReportRow& row = report.rows.emplace_back();
    int column = 0;
    for (const ReportKey key : query.by) row.*(ColumnOf(key).field) = statement.Bytes(column++);
    row.sessions = statement.Total(column);
    row.totals = ReadTotals(statement, column + 1);
  }
  if (!(*database)->ok()) return std::unexpected("cannot read " + (*database)->error());
  return report;
}

std::expected<void, std::string> SessionsReport(const SessionQuery& query,
                                                const SessionVisitor& visitor) {
  ReportScope scope;
  const auto opened = BeginReading(query.directory, query.period, scope);
  if (!opened) return std::unexpected(opened.error());
  Database& database = **opened;
  if (!visitor.begin(scope)) return {};
  Statement sessions(database, kSessions);
  Statement drops(database, "SELECT reason, packets FROM session_drop WHERE session = ?");
  const ReadingBounds bounds(query.period);
  sessions.Bind(bounds.first_bucket, bounds.end_bucket, bounds.from, bounds.to);
  if (query.account) sessions.BindOne(5, std::string_view(*query.account));
  if (query.region) sessions.BindOne(6, std::string_view(*query.region));
  while (sessions.Step()) {
    SessionRow row = ReadSession(sessions);
    drops.Bind(sessions.Int(0));
    while (drops.Step()) {
      for (size_t i = 0; i < kDropReasonCount; ++i) {
        if (drops.Bytes(0) == DropReasonName(static_cast<DropReason>(i))) {
          row.dropped_packets[i] = drops.Total(1);
        }
      }
    }
    if (!visitor.row(row)) break;
  }
  if (!database.ok()) return std::unexpected("cannot read " + database.error());
  return {};
}

}  // namespace turnpike
