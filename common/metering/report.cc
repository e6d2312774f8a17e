#include "common/metering/report.h"

#include <algorithm>
#include <map>
#include <memory>

#include "common/metering/rate_card.h"
#include "common/metering/reading.h"
#include "common/metering/report_costs.h"
#include "common/metering/report_groups.h"
#include "common/metering/totals_sql.h"

namespace turnpike {
namespace {

using std::chrono::microseconds;

constexpr std::array<std::string_view, kReportKeyCount> kKeys = {
    "account", "region", "transport", "label", "day", "month", "edge"};

// Buckets ?1 to ?2. Every query has the same columns: bucket, account, region, transport, label,
// edge, sessions, the six totals.
constexpr const char* kUsage = R"sql(
SELECT bucket, account, region, transport, label, NULL, sessions, {$}
FROM usage_bucket WHERE bucket >= ?1 AND bucket < ?2
)sql";

// By edge: what sessions relayed, where they started, and what is left of those not kept.
constexpr const char* kEdgeParts = R"sql(
SELECT bucket, account, region, transport, label, edge, 0, {p.$}
FROM usage_part AS p JOIN session ON session.key = p.session JOIN boot ON boot.key = boot
WHERE bucket >= ?1 AND bucket < ?2
)sql";
constexpr const char* kEdgeStarts = R"sql(
SELECT max(started_at, 0) / 900000000, account, region, transport, label, edge, 1, 0, 0, 0, 0, 0, 0
FROM session JOIN boot ON boot.key = boot
WHERE started_at >= ?1 * 900000000 AND started_at < ?2 * 900000000
)sql";
constexpr const char* kEdgePruned = R"sql(
SELECT bucket, account, region, transport, label, edge, sessions, {$}
FROM usage_pruned JOIN boot ON boot.key = boot WHERE bucket >= ?1 AND bucket < ?2
)sql";

constexpr const char* kSessions = R"sql(
SELECT session.key, session.id, node, edge, account.name, region, username, label, transport,
  client_address, relayed_address, started_at, ended_at, close_reason,
  {part.$}
FROM session
JOIN boot ON boot.key = session.boot
JOIN account ON account.key = session.account
LEFT JOIN (
  SELECT session, {sum($) AS $}
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
                                                               const std::string& text,
                                                               const TimeZone& zone) {
  if (text.empty()) return std::nullopt;
  auto time = ParseDate(text);
  if (!time) return std::unexpected(name + ": " + time.error());
  const bool is_date = text.find('T') == std::string::npos;
  if (is_date) time = zone.DayStart(std::chrono::local_days(TimeZone().LocalDay(*time)));
  if (BucketStart(BucketOf(*time)) == *time) return *time;
  return std::unexpected(name + ": " + text +
                         " is not a multiple of 15 minutes since 1970, which usage is kept by");
}

// Progress says how far a reading is that goes from bucket to bucket.
class Progress {
 public:
  Progress(Database& database, const ReportQuery& query, const ReadingBounds& bounds)
      : tell_(query.progress) {
    if (!tell_) return;
    first_ = std::max(bounds.first_bucket, database.QueryInt("SELECT min(bucket) FROM usage_part"));
    const int64_t last = database.QueryInt("SELECT max(bucket) FROM usage_part");
    buckets_ = std::max<int64_t>(std::min(bounds.end_bucket, last + 1) - first_, 1);
  }
  void At(int64_t bucket) {
    if (!tell_) return;
    const auto percent = static_cast<int>((bucket - first_) * 100 / buckets_);
    if (percent <= percent_) return;
    percent_ = percent;
    tell_(percent);
  }

 private:
  const std::function<void(int)>& tell_;
  int64_t first_ = 0;
  int64_t buckets_ = 1;
  int percent_ = -1;
};

// AddUsage adds what `sql` selects to `groups`.
void AddUsage(Database& database, const char* sql, const ReadingBounds& bounds,
              const std::map<int64_t, std::string>& accounts, ReportGroups& groups,
              Progress* progress) {
  Statement usage(database, ExpandTotals(sql));
  usage.Bind(bounds.first_bucket, bounds.end_bucket);
  while (usage.Step()) {
    const int64_t bucket = usage.Int(0);
    if (progress != nullptr) progress->At(bucket);
    const auto account = accounts.find(usage.Int(1));
    if (account == accounts.end()) continue;
    ReportRow& row =
        groups.At(BucketIndex(static_cast<uint32_t>(bucket)),
                  {account->second, usage.View(2), usage.View(3), usage.View(4), usage.View(5)});
    row.sessions += usage.Total(6);
    AddTotals(row.totals, ReadTotals(usage, 7));
  }
}

}  // namespace

std::string_view ReportKeyName(ReportKey key) { return kKeys[static_cast<size_t>(key)]; }

std::expected<std::vector<ReportKey>, std::string> ParseReportKeys(
    std::span<const std::string> names) {
  std::vector<ReportKey> keys;
  for (const std::string& name : names) {
    const auto* column = std::ranges::find(kKeys, name);
    if (column == kKeys.end()) {
      return std::unexpected(
          "cannot group by \"" + name +
          "\": known are account, region, transport, label, day, month and edge");
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

std::expected<Period, std::string> ParsePeriod(const std::string& from, const std::string& to,
                                               const TimeZone& zone) {
  auto first = ParseBound("--from", from, zone);
  if (!first) return std::unexpected(first.error());
  auto end = ParseBound("--to", to, zone);
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
  const bool by_edge = std::ranges::count(query.by, ReportKey::kEdge) != 0;
  if (by_edge && query.rates != nullptr) {
    return std::unexpected(
        "usage by edge has no price: rates price 15-minute buckets, which know "
        "no edge; leave out --rates, or edge in --by");
  }
  const auto opened = BeginReading(query.directory, query.period, report.scope);
  if (!opened) return std::unexpected(opened.error());
  Database& database = **opened;
  std::map<int64_t, std::string> accounts;
  Statement names(database, "SELECT key, name FROM account");
  while (names.Step()) accounts[names.Int(0)] = names.Bytes(1);
  const ReadingBounds bounds(query.period);
  ReportGroups groups(query.by, query.zone);
  if (!by_edge) {
    AddUsage(database, kUsage, bounds, accounts, groups, nullptr);
  } else {
    Progress progress(database, query, bounds);
    AddUsage(database, kEdgeParts, bounds, accounts, groups, &progress);
    AddUsage(database, kEdgeStarts, bounds, accounts, groups, nullptr);
    AddUsage(database, kEdgePruned, bounds, accounts, groups, nullptr);
  }
  if (query.rates != nullptr) {
    if (auto ok = AddCosts(database, query, groups); !ok) return std::unexpected(ok.error());
    report.currency = query.rates->currency;
  }
  if (!database.ok()) return std::unexpected("cannot read " + database.error());
  report.rows = groups.Take();
  return report;
}

std::expected<void, std::string> SessionsReport(const SessionQuery& query,
                                                const SessionVisitor& visitor) {
  ReportScope scope;
  const auto opened = BeginReading(query.directory, query.period, scope);
  if (!opened) return std::unexpected(opened.error());
  Database& database = **opened;
  if (!visitor.begin(scope)) return {};
  Statement sessions(database, ExpandTotals(kSessions));
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
