#include "common/metering/ledger_retention.h"

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "common/metering/split.h"
#include "common/metering/totals_sql.h"
#include "common/metering/usage.h"

namespace turnpike {
namespace {

// PrunedKey is that of usage_pruned: bucket, boot, account, transport, label.
using PrunedKey = std::tuple<int64_t, int64_t, int64_t, std::string, std::string>;

struct Pruned {
  Sums sums{};
  uint64_t sessions = 0;
};

// Pruner is one transaction.
class Pruner {
 public:
  Pruner(Database& database, int64_t before) : database_(database), before_(before) {}

  // MoveParts returns how many parts it moved.
  int64_t MoveParts(int64_t limit) {
    // The oldest parts are the first in their table, so that none is looked for in vain.
    Statement old(database_, ExpandTotals(R"sql(
SELECT bucket, p.session, s.boot, s.account, s.transport, s.label, {p.$}
FROM usage_part AS p CROSS JOIN session AS s ON s.key = p.session
WHERE bucket <= ? / 900000000 AND s.ended_at < ? ORDER BY bucket, p.session LIMIT ?)sql"));
    struct Part {
      int64_t bucket;
      int64_t session;
      Sums sums;
    };
    std::vector<Part> parts;
    old.Bind(before_, before_, limit);
    while (old.Step()) {
      Part& part = parts.emplace_back(Part{old.Int(0), old.Int(1), {}});
      Pruned& pruned = pruned_[ReadKey(old, 0, 2)];
      for (size_t i = 0; i < part.sums.size(); ++i) {
        part.sums[i] = old.Total(static_cast<int>(i) + 6);
        pruned.sums[i] += part.sums[i];
      }
    }
    Statement remove(database_, "DELETE FROM usage_part WHERE bucket = ? AND session = ?");
    Statement lessen(database_, ExpandTotals("UPDATE session SET {$ = $ - ?} WHERE key = ?"));
    for (const Part& part : parts) {
      const Sums& s = part.sums;
      remove.Bind(part.bucket, part.session).Run();
      lessen.Bind(s[0], s[1], s[2], s[3], s[4], s[5], part.session).Run();
    }
    return static_cast<int64_t>(parts.size());
  }

  // RemoveSessions removes sessions that have no parts (any more).
  void RemoveSessions(int64_t limit) {
    Statement old(database_, ExpandTotals(R"sql(
SELECT key, max(started_at, 0) / 900000000, boot, account, transport, label FROM session
WHERE ended_at < ? AND max({$}) = 0 ORDER BY ended_at LIMIT ?)sql"));
    std::vector<int64_t> sessions;
    old.Bind(before_, limit);
    while (old.Step()) {
      sessions.push_back(old.Int(0));
      ++pruned_[ReadKey(old, 1, 2)].sessions;
    }
    Statement drops(database_, "DELETE FROM session_drop WHERE session = ?");
    Statement remove(database_, "DELETE FROM session WHERE key = ?");
    for (const int64_t session : sessions) {
      drops.Bind(session).Run();
      remove.Bind(session).Run();
    }
  }

  // Store writes what was taken away to where it stays.
  void Store() {
    Statement add(database_, GrowTotals("usage_pruned", 5, {"sessions"}));
    Statement mark(database_,
                   "UPDATE boot SET pruned_before = max(pruned_before, ?) WHERE key = ?");
    std::set<int64_t> boots;
    for (const auto& [key, pruned] : pruned_) {
      const auto& [bucket, boot, account, transport, label] = key;
      const Sums& s = pruned.sums;
      add.Bind(bucket, boot, account, SqlText{transport}, std::string_view(label), s[0], s[1], s[2],
               s[3], s[4], s[5], pruned.sessions)
          .Run();
      boots.insert(boot);
    }
    for (const int64_t boot : boots) mark.Bind(before_, boot).Run();
  }

 private:
  // ReadKey reads the bucket from one column, and the others from `column` on.
  static PrunedKey ReadKey(const Statement& row, int bucket, int column) {
    return {row.Int(bucket), row.Int(column), row.Int(column + 1), row.Bytes(column + 2),
            row.Bytes(column + 3)};
  }

  Database& database_;
  int64_t before_;
  std::map<PrunedKey, Pruned> pruned_;
};

}  // namespace

void EraseSessions(Database& database, WallTime before, int64_t limit) {
  std::vector<int64_t> sessions;
  {
    Statement old(database,
                  "SELECT key FROM session WHERE client_address <> '' AND ended_at < ? LIMIT ?");
    old.Bind(before.time_since_epoch().count(), limit);
    while (old.Step()) sessions.push_back(old.Int(0));
  }
  if (sessions.empty()) return;
  database.Exec("BEGIN IMMEDIATE");
  Statement erase(database,
                  "UPDATE session SET username = x'', client_address = '', relayed_address = '' "
                  "WHERE key = ?");
  Statement drops(database, "DELETE FROM session_drop WHERE session = ?");
  for (const int64_t session : sessions) {
    erase.Bind(session).Run();
    drops.Bind(session).Run();
  }
  database.Exec("COMMIT");
}

void PruneSessions(Database& database, WallTime before, int64_t limit) {
  const int64_t time = before.time_since_epoch().count();
  {
    Statement any(database, "SELECT 1 FROM session WHERE ended_at < ? LIMIT 1");
    if (!any.Bind(time).Step()) return;
  }
  database.Exec("BEGIN IMMEDIATE");
  Pruner pruner(database, time);
  if (pruner.MoveParts(limit) == 0) pruner.RemoveSessions(limit);
  pruner.Store();
  database.Exec("COMMIT");
}

}  // namespace turnpike
