#include "common/metering/verify_sums.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>

#include "common/base/log.h"
#include "common/metering/split.h"
#include "common/metering/totals_sql.h"
#include "common/metering/usage.h"

namespace turnpike {
namespace {

// NameOf names what is counted: the six totals, and the sessions that started.
std::string NameOf(size_t i) {
  return i < kTotalsColumns.size() ? std::string(kTotalsColumns[i]) : "sessions";
}

// Counts are the six totals and the sessions that started.
using Counts = std::array<uint64_t, 7>;

// Group is what a bucket is kept by: account's key, region, transport, label.
using Group = std::tuple<int64_t, std::string, std::string, std::string>;

// Session is what parts are held against.
struct Session {
  Sums total{};
  Sums parts{};
  uint32_t group = 0;
};

Counts ReadCounts(const Statement& row, int column, size_t count) {
  Counts counts{};
  for (size_t i = 0; i < count; ++i) counts[i] = row.Total(column + static_cast<int>(i));
  return counts;
}

// Verifier walks buckets in order and holds all tables against each other, one bucket at a time.
class Verifier {
 public:
  Verifier(Database& database, const VerifyOptions& options)
      : database_(database), options_(options) {
    Statement names(database_, "SELECT key, name FROM account");
    while (names.Step()) accounts_[names.Int(0)] = EscapeText(names.Bytes(1));
  }

  void Run(VerifyReport& report) {
    LoadSessions();
    VerifyCheck buckets = CompareBuckets();
    report.checks.push_back(CompareSessions());
    report.checks.push_back(std::move(buckets));
    report.checks.push_back(CompareTotals());
  }

 private:
  void Progress(std::string_view step, uint64_t done, uint64_t total) {
    if (options_.progress) options_.progress(step, total == 0 ? 100 : 100 * done / total);
  }

  uint32_t Intern(Group group) {
    const auto [it, is_new] =
        groups_.try_emplace(std::move(group), static_cast<uint32_t>(group_list_.size()));
    if (is_new) group_list_.push_back(&it->first);
    return it->second;
  }

  void LoadSessions() {
    const auto total = static_cast<uint64_t>(database_.QueryInt("SELECT count(*) FROM session"));
    sessions_.reserve(total);
    Statement rows(database_,
                   "SELECT session.key, account, region, transport, label, started_at, " +
                       EachTotal() + " FROM session JOIN boot ON boot.key = session.boot");
    while (rows.Step()) {
      if (sessions_.size() % 50'000 == 0) Progress("sessions", sessions_.size(), total);
      Session& session = sessions_[rows.Int(0)];
      session.group = Intern({rows.Int(1), rows.Bytes(2), rows.Bytes(3), rows.Bytes(4)});
      const WallTime start{std::chrono::microseconds(rows.Int(5))};
      ++starts_[{int64_t{BucketOf(start).value()}, session.group}];
      for (size_t i = 0; i < session.total.size(); ++i) {
        session.total[i] = rows.Total(6 + static_cast<int>(i));
      }
    }
  }

  // Bucket is what the rows of one bucket say, by group: what should be, and what is.
  using Bucket = std::map<uint32_t, std::pair<Counts, Counts>>;

  static void Add(Counts& sum, const Counts& counts) {
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += counts[i];
  }

  void TakePart(const Statement& part, Bucket& bucket) {
    const auto found = sessions_.find(part.Int(1));
    if (found == sessions_.end()) return;  // the check of references names it
    const Counts counts = ReadCounts(part, 2, 6);
    for (size_t i = 0; i < 6; ++i) found->second.parts[i] += counts[i];
    Add(bucket[found->second.group].first, counts);
    ++parts_;
  }

  std::string Name(uint32_t group) const {
    const auto& [account, region, transport, label] = *group_list_[group];
    const auto name = accounts_.find(account);
    return "account " + (name == accounts_.end() ? std::to_string(account) : name->second) +
           ", region " + EscapeText(region) + ", transport " + EscapeText(transport) + ", label " +
           (label.empty() ? "(none)" : EscapeText(label));
  }

  // Differs notes the first difference of a bucket.
  void Compare(int64_t index, const Bucket& bucket, VerifyCheck& check) const {
    for (const auto& [group, pair] : bucket) {
      if (!check.ok) return;
      const auto& [want, have] = pair;
      for (size_t i = 0; i < want.size(); ++i) {
        if (want[i] == have[i]) continue;
        const WallTime start{std::chrono::microseconds(index * 900'000'000)};
        check.ok = false;
        check.text = "bucket " + FormatRfc3339(start) + " of " + Name(group) +
                     ": usage_bucket has " + NameOf(i) + " " + std::to_string(have[i]) +
                     ", its sessions add up to " + std::to_string(want[i]);
        return;
      }
    }
  }

  VerifyCheck CompareBuckets() {
    VerifyCheck check{"buckets", true, ""};
    Statement parts(database_, "SELECT bucket, session, " + EachTotal() +
                                   " FROM usage_part ORDER BY bucket, session");
    Statement pruned(database_, "SELECT bucket, account, region, transport, label, " + EachTotal() +
                                    ", sessions FROM usage_pruned JOIN boot ON boot.key = boot "
                                    "ORDER BY bucket");
    Statement stored(database_, "SELECT bucket, account, region, transport, label, " + EachTotal() +
                                    ", sessions FROM usage_bucket ORDER BY bucket");
    bool has_part = parts.Step();
    bool has_pruned = pruned.Step();
    bool has_stored = stored.Step();
    auto start = starts_.begin();
    const int64_t last = database_.QueryInt("SELECT max(bucket) FROM usage_bucket");
    const int64_t first = database_.QueryInt("SELECT min(bucket) FROM usage_bucket");
    uint64_t rows = 0;
    constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();
    for (;;) {
      const int64_t now = std::min(
          {has_part ? parts.Int(0) : kEnd, has_pruned ? pruned.Int(0) : kEnd,
           has_stored ? stored.Int(0) : kEnd, start != starts_.end() ? start->first.first : kEnd});
      if (now == kEnd) break;
      Progress("buckets", static_cast<uint64_t>(std::max<int64_t>(now - first, 0)),
               static_cast<uint64_t>(std::max<int64_t>(last - first, 1)));
      Bucket bucket;
      for (; has_part && parts.Int(0) == now; has_part = parts.Step()) TakePart(parts, bucket);
      for (; has_pruned && pruned.Int(0) == now; has_pruned = pruned.Step()) {
        Add(bucket[ReadGroup(pruned)].first, ReadCounts(pruned, 5, 7));
      }
      for (; has_stored && stored.Int(0) == now; has_stored = stored.Step()) {
        Add(bucket[ReadGroup(stored)].second, ReadCounts(stored, 5, 7));
        ++rows;
      }
      for (; start != starts_.end() && start->first.first == now; ++start) {
        bucket[start->first.second].first[6] += start->second;
      }
      Compare(now, bucket, check);
    }
    if (check.ok) {
      check.text =
          std::to_string(parts_) + " parts add up to " + std::to_string(rows) + " rows of buckets";
    }
    return check;
  }

  uint32_t ReadGroup(const Statement& row) {
    return Intern({row.Int(1), row.Bytes(2), row.Bytes(3), row.Bytes(4)});
  }

  VerifyCheck CompareSessions() {
    VerifyCheck check{"sessions", true,
                      std::to_string(sessions_.size()) + " sessions equal their parts"};
    // The smallest key, so that the answer is the same each time.
    int64_t worst = std::numeric_limits<int64_t>::max();
    for (const auto& [key, session] : sessions_) {
      if (session.total != session.parts) worst = std::min(worst, key);
    }
    if (worst == std::numeric_limits<int64_t>::max()) return check;
    const Session& session = sessions_.at(worst);
    const auto i = static_cast<size_t>(std::ranges::mismatch(session.total, session.parts).in1 -
                                       session.total.begin());
    Statement find(database_, "SELECT id FROM session WHERE key = ?");
    SessionId id{};
    if (find.Bind(worst).Step()) {
      const std::string bytes = find.Bytes(0);
      std::copy_n(bytes.begin(), std::min(bytes.size(), id.size()), id.begin());
    }
    check.ok = false;
    check.text = "session " + FormatSessionId(id) + ": it has " + NameOf(i) + " " +
                 std::to_string(session.total[i]) + ", its parts add up to " +
                 std::to_string(session.parts[i]);
    return check;
  }

  VerifyCheck CompareTotals() {
    VerifyCheck check{"totals", true, ""};
    Statement rows(database_,
                   "SELECT account, region, sum(a), sum(b), sum(c), sum(d) FROM ("
                   "SELECT account, region, client_to_peer_bytes AS a, peer_to_client_bytes AS b, "
                   "0 AS c, 0 AS d FROM usage_bucket UNION ALL "
                   "SELECT account, region, 0, 0, client_to_peer_bytes, peer_to_client_bytes "
                   "FROM usage_total) GROUP BY 1, 2");
    uint64_t count = 0;
    while (rows.Step()) {
      ++count;
      for (int i = 0; i < 2 && check.ok; ++i) {
        if (rows.Total(2 + i) == rows.Total(4 + i)) continue;
        check.ok = false;
        check.text = "account " + accounts_[rows.Int(0)] + ", region " + EscapeText(rows.Bytes(1)) +
                     ": usage_total has " + NameOf(static_cast<size_t>(i)) + " " +
                     std::to_string(rows.Total(4 + i)) + ", its buckets add up to " +
                     std::to_string(rows.Total(2 + i));
      }
    }
    if (check.ok) check.text = std::to_string(count) + " accounts and regions equal their buckets";
    return check;
  }

  Database& database_;
  const VerifyOptions& options_;
  std::unordered_map<int64_t, std::string> accounts_;
  std::map<Group, uint32_t> groups_;
  std::vector<const Group*> group_list_;
  std::unordered_map<int64_t, Session> sessions_;
  std::map<std::pair<int64_t, uint32_t>, uint64_t> starts_;  // bucket, group
  uint64_t parts_ = 0;
};

}  // namespace

void VerifySums(Database& database, const VerifyOptions& options, VerifyReport& report) {
  Verifier(database, options).Run(report);
}

}  // namespace turnpike
