#include "common/metering/merger.h"

#include <string>

#include "common/metering/totals_sql.h"

namespace turnpike {
namespace {

// What a file still has of sessions that were old enough to be pruned. One that was open in this
// copy has perhaps been pruned in a newer one.
constexpr const char* kKeptRows = R"sql(
SELECT bucket, boot, account, transport, label, {p.$}, 0 AS sessions
FROM usage_part p JOIN session s ON s.key = p.session JOIN boot ON boot.key = s.boot
WHERE coalesce(ended_at, started_at) < pruned_before
UNION ALL
SELECT max(started_at, 0) / 900000000, boot, account, transport, label, 0, 0, 0, 0, 0, 0, 1
FROM session s JOIN boot ON boot.key = s.boot
WHERE coalesce(ended_at, started_at) < pruned_before)sql";

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

// A claim grows to the larger one, figure by figure.
constexpr const char* kPutClaim =
    "INSERT INTO claim VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "{$ = max($, excluded.$)}, sessions = max(sessions, excluded.sessions)";

constexpr const char* kPutLedger = R"sql(
INSERT INTO merged_ledger VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  state = CASE WHEN as_of < excluded.as_of THEN excluded.state
    WHEN as_of = excluded.as_of THEN min(state, excluded.state) ELSE state END,
  as_of = max(as_of, excluded.as_of))sql";

// What follows from parts is counted anew: sums then agree whatever was merged before. Of what a
// copy says was pruned, only that is kept which no session here accounts for.
// `KEPT` stands for kKeptRows.
constexpr const char* kCountAnew = R"sql(
DELETE FROM session_drop WHERE session IN (SELECT key FROM session WHERE client_address = '');
CREATE TEMP TABLE sums AS SELECT session, {sum($) AS $} FROM usage_part GROUP BY 1;
UPDATE session SET {$ = sums.$} FROM sums WHERE sums.session = session.key;
DROP TABLE sums;
CREATE TEMP TABLE kept AS SELECT bucket, boot, account, transport, label, {sum($) AS $},
    sum(sessions) AS sessions
  FROM (KEPT) GROUP BY 1, 2, 3, 4, 5;
DELETE FROM usage_pruned;
INSERT INTO usage_pruned SELECT bucket, boot, account, transport, label,
    {max(c.$ - coalesce(k.$, 0), 0)}, max(c.sessions - coalesce(k.sessions, 0), 0)
  FROM claim c LEFT JOIN kept k USING (bucket, boot, account, transport, label)
  WHERE max({c.$ - coalesce(k.$, 0)}, c.sessions - coalesce(k.sessions, 0)) > 0;
DELETE FROM usage_bucket;
INSERT INTO usage_bucket
  SELECT bucket, account, region, transport, label, {sum(x.$)}, sum(n)
  FROM (
    SELECT bucket, boot, account, transport, label, {p.$}, 0 AS n
    FROM usage_part p JOIN session ON key = session
    UNION ALL
    SELECT max(started_at, 0) / 900000000, boot, account, transport, label, 0, 0, 0, 0, 0, 0, 1
    FROM session
    UNION ALL
    SELECT bucket, boot, account, transport, label, {$}, sessions FROM usage_pruned
  ) x JOIN boot ON boot.key = x.boot
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

// Claims selects what a file says of the old sessions of its boots.
std::string Claims() {
  return "SELECT bucket, boot, account, transport, label, {sum($)}, sum(sessions) FROM "
         "(SELECT * FROM usage_pruned UNION ALL " +
         std::string(kKeptRows) + ") GROUP BY 1, 2, 3, 4, 5";
}

// BeginClaims makes `claim`, with those of the output itself.
Database& BeginClaims(Database& output) {
  output.Exec(ExpandTotals(
      "CREATE TEMP TABLE claim(bucket, boot, account, transport, label, {$}, sessions, "
      "PRIMARY KEY (bucket, boot, account, transport, label)) WITHOUT ROWID; "
      "INSERT INTO claim " +
      Claims()));
  return output;
}

// Mix spreads the bits of `value` (the finalizer of SplitMix64).
uint64_t Mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

}  // namespace

Merger::Merger(Database& output)
    : output_(BeginClaims(output)),
      put_session_(output, kPutSession),
      find_session_(output, "SELECT key FROM session WHERE id = ?"),
      put_part_(output, "INSERT INTO usage_part VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
      put_drop_(output,
                "INSERT INTO session_drop VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
                "packets = max(packets, excluded.packets)"),
      put_ledger_(output, kPutLedger),
      put_claim_(output, ExpandTotals(kPutClaim)) {}

bool Merger::Add(Database& source) {
  Keys boots = AddBoots(source);
  if (boots.empty()) return false;
  AddLedgers(source);
  Keys accounts = AddAccounts(source);
  AddClaims(source, boots, accounts);
  const Keys sessions = AddSessions(source, boots, accounts);
  AddDrops(source, sessions);
  AddParts(source, sessions);
  return true;
}

void Merger::Finish() {
  std::string sql = kCountAnew;
  sql.replace(sql.find("KEPT"), 4, kKeptRows);
  output_.Exec(ExpandTotals(sql));
}

int64_t Merger::KeyOf(Statement& find, std::string_view name) {
  const int64_t key = find.Bind(name).Step() ? find.Int(0) : 0;
  find.Step();
  return key;
}

Merger::Keys Merger::AddBoots(Database& source) {
  Keys keys;
  Statement rows(source,
                 "SELECT key, id, node, region, edge, pruned_before FROM boot ORDER BY key");
  Statement put(output_,
                "INSERT INTO boot(id, node, region, edge, pruned_before) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET "
                "pruned_before = max(pruned_before, excluded.pruned_before)");
  Statement find(output_, "SELECT key FROM boot WHERE id = ?");
  while (rows.Step()) {
    const std::string id = rows.Bytes(1);
    const std::string node = rows.Bytes(2);
    const std::string region = rows.Bytes(3);
    const std::string edge = rows.Bytes(4);
    put.Bind(std::string_view(id), std::string_view(node), std::string_view(region),
             std::string_view(edge), rows.Int(5))
        .Run();
    keys[rows.Int(0)] = KeyOf(find, id);
  }
  return keys;
}

void Merger::AddLedgers(Database& source) {
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

Merger::Keys Merger::AddAccounts(Database& source) {
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

Merger::Keys Merger::AddSessions(Database& source, Keys& boots, Keys& accounts) {
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

void Merger::AddDrops(Database& source, const Keys& sessions) {
  Statement rows(source, "SELECT session, reason, packets FROM session_drop");
  while (rows.Step()) {
    const auto session = sessions.find(rows.Int(0));
    if (session == sessions.end()) continue;
    const std::string reason = rows.Bytes(1);
    put_drop_.Bind(session->second, SqlText{reason}, rows.Int(2)).Run();
  }
}

// Claims of the source: what it pruned, and what it has of sessions that were old enough.
void Merger::AddClaims(Database& source, Keys& boots, Keys& accounts) {
  if (source.QueryInt("SELECT max(pruned_before) FROM boot") == 0) return;
  Statement rows(source, ExpandTotals(Claims()));
  while (rows.Step()) {
    const std::string transport = rows.Bytes(3);
    const std::string label = rows.Bytes(4);
    put_claim_
        .Bind(rows.Int(0), boots[rows.Int(1)], accounts[rows.Int(2)], SqlText{transport},
              std::string_view(label), rows.Int(5), rows.Int(6), rows.Int(7), rows.Int(8),
              rows.Int(9), rows.Int(10), rows.Int(11))
        .Run();
  }
}

void Merger::Rank::Add(const Statement& part) {
  billable_bytes += part.Total(2) + part.Total(3);
  wire_bytes += part.Total(4) + part.Total(5);
  packets += part.Total(6) + part.Total(7);
  uint64_t row = Mix(part.Total(0));
  for (int i = 2; i < 8; ++i) row = Mix(row + 0x9E3779B97F4A7C15 + part.Total(i));
  print += row;  // a sum: parts come in any order
}

void Merger::AddParts(Database& source, const Keys& sessions) {
  constexpr const char* kParts = "SELECT * FROM usage_part ORDER BY bucket, session";
  Ranks ranks;
  Statement rows(source, kParts);
  while (rows.Step()) {
    const auto session = sessions.find(rows.Int(1));
    if (session != sessions.end()) ranks[session->second].Add(rows);
  }
  Ranks had;
  Statement present(output_, kParts);
  while (present.Step()) {
    if (ranks.contains(present.Int(1))) had[present.Int(1)].Add(present);
  }
  std::erase_if(ranks, [&](const auto& each) {
    const auto other = had.find(each.first);
    return other != had.end() && other->second >= each.second;
  });
  RemoveParts(ranks, had);
  while (rows.Step()) {  // from the beginning again
    const auto session = sessions.find(rows.Int(1));
    if (session == sessions.end() || !ranks.contains(session->second)) continue;
    put_part_
        .Bind(rows.Int(0), session->second, rows.Int(2), rows.Int(3), rows.Int(4), rows.Int(5),
              rows.Int(6), rows.Int(7))
        .Run();
  }
}

// RemoveParts removes those of sessions in `better` that the output `had`.
void Merger::RemoveParts(const Ranks& better, const Ranks& had) {
  output_.Exec("CREATE TEMP TABLE replaced(session INTEGER PRIMARY KEY)");
  {
    Statement put(output_, "INSERT INTO replaced VALUES (?)");
    for (const auto& [session, rank] : better) {
      if (had.contains(session)) put.Bind(session).Run();
    }
  }
  output_.Exec(
      "DELETE FROM usage_part WHERE session IN (SELECT session FROM replaced); "
      "DROP TABLE replaced");
}

}  // namespace turnpike
