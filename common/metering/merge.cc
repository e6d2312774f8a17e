#include "common/metering/merge.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <memory>
#include <unordered_map>

#include "common/base/log.h"
#include "common/metering/ledger_schema.h"
#include "common/metering/ledger_tables.h"
#include "common/metering/sqlite.h"
#include "common/metering/usage.h"

namespace turnpike {
namespace {

using std::chrono::microseconds;

// The erased names of a session are empty, so the smaller text wins; ends only grow.
constexpr const char* kPutSession = R"sql(
INSERT INTO session VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, 0, 0, 0, 0, 0)
ON CONFLICT (id) DO UPDATE SET
  username = min(username, excluded.username),
  client_address = min(client_address, excluded.client_address),
  relayed_address = min(relayed_address, excluded.relayed_address),
  close_reason = CASE
    WHEN ended_at IS NULL OR ended_at < excluded.ended_at THEN excluded.close_reason
    WHEN ended_at = excluded.ended_at THEN max(close_reason, excluded.close_reason)
    ELSE close_reason END,
  ended_at = max(coalesce(ended_at, excluded.ended_at), coalesce(excluded.ended_at, ended_at)))sql";

constexpr const char* kPutPart = R"sql(
INSERT INTO usage_part VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  client_to_peer_bytes = max(client_to_peer_bytes, excluded.client_to_peer_bytes),
  peer_to_client_bytes = max(peer_to_client_bytes, excluded.peer_to_client_bytes),
  client_to_peer_wire_bytes = max(client_to_peer_wire_bytes, excluded.client_to_peer_wire_bytes),
  peer_to_client_wire_bytes = max(peer_to_client_wire_bytes, excluded.peer_to_client_wire_bytes),
  client_to_peer_packets = max(client_to_peer_packets, excluded.client_to_peer_packets),
  peer_to_client_packets = max(peer_to_client_packets, excluded.peer_to_client_packets))sql";

constexpr const char* kPutLedger = R"sql(
INSERT INTO merged_ledger VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  state = CASE WHEN as_of < excluded.as_of THEN excluded.state
    WHEN as_of = excluded.as_of THEN min(state, excluded.state) ELSE state END,
  as_of = max(as_of, excluded.as_of))sql";

// What follows from parts is counted anew: sums then agree whatever was merged before.
constexpr const char* kCountAnew = R"sql(
DELETE FROM session_drop WHERE session IN (SELECT key FROM session WHERE client_address = '');
CREATE TEMP TABLE sums AS SELECT session, sum(client_to_peer_bytes) AS a,
  sum(peer_to_client_bytes) AS b, sum(client_to_peer_wire_bytes) AS c,
  sum(peer_to_client_wire_bytes) AS d, sum(client_to_peer_packets) AS e,
  sum(peer_to_client_packets) AS f FROM usage_part GROUP BY 1;
UPDATE session SET client_to_peer_bytes = a, peer_to_client_bytes = b,
  client_to_peer_wire_bytes = c, peer_to_client_wire_bytes = d, client_to_peer_packets = e,
  peer_to_client_packets = f FROM sums WHERE sums.session = session.key;
DROP TABLE sums;
DELETE FROM usage_bucket;
INSERT INTO usage_bucket
  SELECT bucket, account, region, transport, label, sum(a), sum(b), sum(c), sum(d), sum(e), sum(f),
    sum(n)
  FROM (
    SELECT bucket, session, client_to_peer_bytes AS a, peer_to_client_bytes AS b,
      client_to_peer_wire_bytes AS c, peer_to_client_wire_bytes AS d, client_to_peer_packets AS e,
      peer_to_client_packets AS f, 0 AS n FROM usage_part
    UNION ALL
    SELECT max(started_at, 0) / 900000000, key, 0, 0, 0, 0, 0, 0, 1 FROM session
  ) JOIN session ON session.key = session JOIN boot ON boot.key = session.boot
  GROUP BY 1, 2, 3, 4, 5;
DELETE FROM usage_total;
INSERT INTO usage_total
  SELECT account, region, sum(client_to_peer_bytes), sum(peer_to_client_bytes) FROM usage_bucket
  WHERE client_to_peer_packets + peer_to_client_packets > 0 GROUP BY 1, 2;
UPDATE meta SET
  state = CASE WHEN (SELECT count(*) FROM merged_ledger WHERE state = 'open') = 0
    THEN 'closed' ELSE 'open' END,
  as_of = coalesce((SELECT min(as_of) FROM merged_ledger WHERE state = 'open'),
                   (SELECT max(as_of) FROM merged_ledger), 0);
UPDATE meta SET created = coalesce(created, as_of);
)sql";

bool SameFile(const std::string& a, const std::string& b) {
  struct stat left{};
  struct stat right{};
  return stat(a.c_str(), &left) == 0 && stat(b.c_str(), &right) == 0 &&
         left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

std::string FormatBoot(const std::string& bytes) {
  SessionId id{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), id.size()), id.begin());
  return FormatSessionId(id);
}

// Merger adds sources to one open output.
class Merger {
 public:
  explicit Merger(Database& output)
      : output_(output),
        put_session_(output, kPutSession),
        find_session_(output, "SELECT key FROM session WHERE id = ?"),
        put_part_(output, kPutPart),
        put_drop_(output,
                  "INSERT INTO session_drop VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
                  "packets = max(packets, excluded.packets)"),
        put_ledger_(output, kPutLedger) {}

  // Add copies one source; false when nothing is in it.
  bool Add(Database& source) {
    Keys boots = AddBoots(source);
    if (boots.empty()) return false;
    AddLedgers(source);
    const Keys sessions = AddSessions(source, boots, AddAccounts(source));
    AddDrops(source, sessions);
    AddParts(source, sessions);
    return true;
  }

 private:
  using Keys = std::unordered_map<int64_t, int64_t>;  // of the source: of the output

  // KeyOf returns the key in the output that `find` knows `name` by.
  int64_t KeyOf(Statement& find, std::string_view name) {
    const int64_t key = find.Bind(name).Step() ? find.Int(0) : 0;
    find.Step();
    return key;
  }

  Keys AddBoots(Database& source) {
    Keys keys;
    Statement rows(source, "SELECT key, id, node, region, edge FROM boot ORDER BY key");
    Statement put(output_,
                  "INSERT INTO boot(id, node, region, edge) VALUES (?, ?, ?, ?) "
                  "ON CONFLICT DO NOTHING");
    Statement find(output_, "SELECT key FROM boot WHERE id = ?");
    while (rows.Step()) {
      const std::string id = rows.Bytes(1);
      const std::string node = rows.Bytes(2);
      const std::string region = rows.Bytes(3);
      const std::string edge = rows.Bytes(4);
      put.Bind(std::string_view(id), std::string_view(node), std::string_view(region),
               std::string_view(edge))
          .Run();
      keys[rows.Int(0)] = KeyOf(find, id);
    }
    return keys;
  }

  void AddLedgers(Database& source) {
    const bool is_merged = source.QueryInt("SELECT count(*) FROM merged_ledger") > 0;
    Statement rows(source, is_merged ? "SELECT first_boot, node, state, as_of FROM merged_ledger"
                                     : "SELECT boot.id, node, state, as_of FROM boot, meta "
                                       "ORDER BY boot.key LIMIT 1");
    while (rows.Step()) {
      const std::string id = rows.Bytes(0);
      const std::string node = rows.Bytes(1);
      const std::string state = rows.Bytes(2);
      put_ledger_.Bind(std::string_view(id), std::string_view(node), SqlText{state}, rows.Int(3))
          .Run();
    }
  }

  Keys AddAccounts(Database& source) {
    Keys keys;
    Statement rows(source, "SELECT key, name FROM account ORDER BY key");
    Statement put(output_, "INSERT INTO account VALUES (NULL, ?) ON CONFLICT DO NOTHING");
    Statement find(output_, "SELECT key FROM account WHERE name = ?");
    while (rows.Step()) {
      const std::string name = rows.Bytes(1);
      put.Bind(std::string_view(name)).Run();
      keys[rows.Int(0)] = KeyOf(find, name);
    }
    return keys;
  }

  Keys AddSessions(Database& source, Keys& boots, Keys accounts) {
    Keys keys;
    Statement rows(source,
                   "SELECT key, id, boot, account, label, username, transport, client_address, "
                   "relayed_address, started_at, ended_at, close_reason FROM session ORDER BY key");
    while (rows.Step()) {
      const std::string id = rows.Bytes(1);
      const std::string label = rows.Bytes(4);
      const std::string username = rows.Bytes(5);
      const std::string transport = rows.Bytes(6);
      const std::string client = rows.Bytes(7);
      const std::string relayed = rows.Bytes(8);
      const std::string reason = rows.Bytes(11);
      put_session_.Bind(std::string_view(id), boots[rows.Int(2)], accounts[rows.Int(3)],
                        std::string_view(label), std::string_view(username), SqlText{transport},
                        SqlText{client}, SqlText{relayed}, rows.Int(9));
      if (rows.IsNull(10)) {
        put_session_.BindOne(10, std::nullopt);
        put_session_.BindOne(11, std::nullopt);
      } else {
        put_session_.BindOne(10, rows.Int(10));
        put_session_.BindOne(11, SqlText{reason});
      }
      put_session_.Run();
      keys[rows.Int(0)] = KeyOf(find_session_, id);
    }
    return keys;
  }

  void AddDrops(Database& source, const Keys& sessions) {
    Statement rows(source, "SELECT session, reason, packets FROM session_drop");
    while (rows.Step()) {
      const auto session = sessions.find(rows.Int(0));
      if (session == sessions.end()) continue;
      const std::string reason = rows.Bytes(1);
      put_drop_.Bind(session->second, SqlText{reason}, rows.Int(2)).Run();
    }
  }

  void AddParts(Database& source, const Keys& sessions) {
    Statement rows(source, "SELECT * FROM usage_part ORDER BY bucket, session");
    while (rows.Step()) {
      const auto session = sessions.find(rows.Int(1));
      if (session == sessions.end()) continue;
      put_part_
          .Bind(rows.Int(0), session->second, rows.Int(2), rows.Int(3), rows.Int(4), rows.Int(5),
                rows.Int(6), rows.Int(7))
          .Run();
    }
  }

  Database& output_;
  Statement put_session_;
  Statement find_session_;
  Statement put_part_;
  Statement put_drop_;
  Statement put_ledger_;
};

// OpenOutput opens or creates the output and begins the transaction.
std::expected<std::unique_ptr<Database>, std::string> OpenOutput(const MergeOptions& options) {
  const std::string& path = options.output;
  auto opened = Database::Open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, options.vfs);
  if (!opened) {
    return std::unexpected("cannot open " + path +
                           ": its directory must exist and be writable for this user");
  }
  Database& database = **opened;
  sqlite3_busy_timeout(database.handle(), 5000);
  database.Exec("PRAGMA synchronous = EXTRA");
  database.Exec("PRAGMA cache_size = -64000");
  database.Exec("PRAGMA temp_store = MEMORY");
  const int64_t application = database.QueryInt("PRAGMA application_id");
  const bool empty =
      application == 0 && database.QueryInt("SELECT count(*) FROM sqlite_schema") == 0;
  if (database.ok() && !empty &&
      (application != kLedgerApplicationId ||
       database.QueryInt("PRAGMA user_version") != kLedgerSchemaVersion ||
       database.QueryInt("SELECT count(*) FROM merged_ledger") == 0)) {
    return std::unexpected(path +
                           " was not made by a merge of this release: -o takes a new file, or one "
                           "that `usage merge` made");
  }
  database.Exec("BEGIN EXCLUSIVE");
  if (empty) database.Exec(kCreateLedger);
  if (!database.ok()) return std::unexpected("cannot write " + database.error());
  return opened;
}

std::expected<void, std::string> AddSource(const MergeOptions& options, const std::string& path,
                                           Merger& merger, std::vector<MergeGap>& gaps) {
  if (options.progress) options.progress(path);
  if (SameFile(path, options.output)) {
    return std::unexpected(path + " is the output as well: name each file once");
  }
  auto source = OpenLedgerForReading(path);
  if (!source) return std::unexpected(source.error());
  (*source)->Exec("BEGIN");
  const bool has_any = merger.Add(**source);
  if (!(*source)->ok()) return std::unexpected("cannot read " + (*source)->error());
  if (!has_any) gaps.push_back({"", "", path + " holds no session yet"});
  return {};
}

// FindGaps lists what the output itself shows to be missing.
void FindGaps(Database& database, const MergeOptions& options, std::vector<MergeGap>& gaps) {
  std::map<std::string, bool> nodes;
  const WallTime newest(microseconds(database.QueryInt("SELECT max(as_of) FROM merged_ledger")));
  Statement ledgers(database, "SELECT node, state, as_of FROM merged_ledger ORDER BY 1, 3");
  while (ledgers.Step()) {
    const std::string node = ledgers.Bytes(0);
    nodes[node] = true;
    const WallTime as_of(microseconds(ledgers.Int(2)));
    if (ledgers.Bytes(1) == "closed") continue;
    if (as_of < newest) {
      gaps.push_back({node, "",
                      "its ledger is complete up to " + FormatRfc3339(as_of) +
                          " only, the newest up to " + FormatRfc3339(newest)});
    }
  }
  Statement boots(database,
                  "SELECT node, boot.id, sum(ended_at IS NULL), sum(close_reason = 'crash') FROM "
                  "session JOIN boot ON boot.key = boot GROUP BY 1, 2 ORDER BY 1, 2");
  while (boots.Step()) {
    nodes[boots.Bytes(0)] = true;
    const std::string boot = FormatBoot(boots.Bytes(1));
    if (boots.Int(2) > 0) {
      gaps.push_back(
          {boots.Bytes(0), boot,
           std::to_string(boots.Int(2)) + " sessions were not over: merge a newer copy"});
    }
    if (boots.Int(3) > 0) {
      gaps.push_back({boots.Bytes(0), boot,
                      std::to_string(boots.Int(3)) +
                          " sessions ended with a crash: after a power cut, the last checkpoint "
                          "interval of them may be missing"});
    }
  }
  for (const std::string& node : options.nodes) {
    if (!nodes.contains(node)) gaps.push_back({node, "", "none of its ledgers was merged"});
  }
}

}  // namespace

std::expected<MergeReport, std::string> MergeLedgers(const MergeOptions& options) {
  auto opened = OpenOutput(options);
  if (!opened) return std::unexpected(opened.error());
  Database& output = **opened;
  MergeReport report;
  const int64_t before = output.QueryInt("SELECT count(*) FROM session");
  {
    Merger merger(output);
    for (const std::string& path : options.sources) {
      if (auto ok = AddSource(options, path, merger, report.gaps); !ok) {
        return std::unexpected(ok.error());
      }
    }
  }
  if (options.progress) options.progress("the sums");
  output.Exec(kCountAnew);
  FindGaps(output, options, report.gaps);
  const int64_t sessions = output.QueryInt("SELECT count(*) FROM session");
  report.sessions = static_cast<uint64_t>(sessions);
  report.new_sessions = static_cast<uint64_t>(sessions - before);
  report.ledgers = static_cast<uint64_t>(output.QueryInt("SELECT count(*) FROM merged_ledger"));
  report.boots = static_cast<uint64_t>(output.QueryInt("SELECT count(*) FROM boot"));
  report.as_of = WallTime(microseconds(output.QueryInt("SELECT as_of FROM meta")));
  report.is_closed = output.QueryInt("SELECT state = 'closed' FROM meta") != 0;
  report.billable_bytes = static_cast<uint64_t>(output.QueryInt(
      "SELECT coalesce(sum(client_to_peer_bytes + peer_to_client_bytes), 0) FROM usage_total"));
  output.Exec("COMMIT");
  if (!output.ok()) return std::unexpected("cannot write " + output.error());
  return report;
}

}  // namespace turnpike
