// Writes a ledger with a month of made-up usage, for measuring reports:
//   month_ledger DIRECTORY [SESSIONS [PARTS_PER_SESSION [ACCOUNTS]]]
// Every session starts in November 2026 and relays in as many buckets as it has parts. The default
// is a million sessions, 30 million parts and a hundred accounts in three regions.
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include "common/metering/ledger_schema.h"
#include "common/metering/sqlite.h"
#include "common/metering/usage.h"

namespace turnpike {
namespace {

constexpr int64_t kFirstBucket = 1'793'491'200 / 900;  // 2026-11-01
constexpr int64_t kMonthBuckets = 30 * 96;

struct Size {
  int64_t sessions = 1'000'000;
  int64_t parts = 30;
  int64_t accounts = 100;
};

// Sessions begin at an even pace, so that those of a bucket are a range of numbers.
constexpr const char* kSessions = R"sql(
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
INSERT INTO session
SELECT i + 1, CAST(printf('%016x', i) AS BLOB), 1 + i / ?3 % 3, 1 + i % ?3, x'776562',
  CAST('user-' || i AS BLOB),
  CASE i / ?3 / 3 % 3 WHEN 0 THEN 'udp' WHEN 1 THEN 'tcp' ELSE 'tls' END,
  '198.51.100.7:40000', '203.0.113.7:10000', (?4 + i * ?2 / ?1) * 900000000,
  (?4 + i * ?2 / ?1 + ?5) * 900000000, 'expired', 0, 0, 0, 0, 0, 0
FROM n
)sql";

constexpr const char* kParts = R"sql(
INSERT INTO usage_part
SELECT ?1, key, 1000 + key * 7919 % 1000003, 500 + key * 104729 % 999983,
  1100 + key * 7919 % 1000003, 600 + key * 104729 % 999983, 10, 9
FROM session WHERE started_at > (?1 - ?2) * 900000000 AND started_at <= ?1 * 900000000
)sql";

constexpr const char* kBuckets = R"sql(
INSERT INTO usage_bucket(bucket, account, region, transport, label, client_to_peer_bytes,
  peer_to_client_bytes, client_to_peer_wire_bytes, peer_to_client_wire_bytes,
  client_to_peer_packets, peer_to_client_packets, sessions)
SELECT bucket, account, region, transport, label, sum(p.client_to_peer_bytes),
  sum(p.peer_to_client_bytes), sum(p.client_to_peer_wire_bytes), sum(p.peer_to_client_wire_bytes),
  sum(p.client_to_peer_packets), sum(p.peer_to_client_packets),
  sum(started_at / 900000000 = bucket)
FROM usage_part AS p JOIN session ON session.key = p.session JOIN boot ON boot.key = boot
WHERE bucket = ?1 GROUP BY account, region, transport, label
)sql";

constexpr const char* kTotals = R"sql(
UPDATE session SET client_to_peer_bytes = s.a, peer_to_client_bytes = s.b,
  client_to_peer_wire_bytes = s.c, peer_to_client_wire_bytes = s.d, client_to_peer_packets = s.e,
  peer_to_client_packets = s.f
FROM (SELECT key AS session, ?1 * (1000 + key * 7919 % 1000003) AS a,
  ?1 * (500 + key * 104729 % 999983) AS b, ?1 * (1100 + key * 7919 % 1000003) AS c,
  ?1 * (600 + key * 104729 % 999983) AS d, ?1 * 10 AS e, ?1 * 9 AS f FROM session) AS s
WHERE s.session = session.key
)sql";

bool Fill(Database& database, const Size& size) {
  database.Exec("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN");
  Statement boot(database, "INSERT INTO boot(key, id, node, region, edge) VALUES (?, ?, ?, ?, ?)");
  for (const std::string_view region : {"us1", "de1", "jp1"}) {
    static int64_t key = 0;
    ++key;
    const std::string node = "relay-" + std::to_string(key);
    boot.Bind(key, std::string_view(node), std::string_view(node), region, region);
    boot.Run();
  }
  Statement account(database, "INSERT INTO account(key, name) VALUES (?, ?)");
  for (int64_t key = 1; key <= size.accounts; ++key) {
    const std::string name = "account-" + std::to_string(key);
    account.Bind(key, std::string_view(name));
    account.Run();
  }
  Statement sessions(database, kSessions);
  sessions.Bind(size.sessions, kMonthBuckets - size.parts, size.accounts, kFirstBucket, size.parts);
  sessions.Run();
  Statement parts(database, kParts);
  Statement buckets(database, kBuckets);
  for (int64_t bucket = kFirstBucket; bucket < kFirstBucket + kMonthBuckets; ++bucket) {
    parts.Bind(bucket, size.parts);
    parts.Run();
    buckets.Bind(bucket);
    buckets.Run();
  }
  Statement totals(database, kTotals);
  totals.Bind(size.parts);
  totals.Run();
  database.Exec(
      "INSERT INTO usage_total SELECT account, region, sum(client_to_peer_bytes), "
      "sum(peer_to_client_bytes) FROM usage_bucket GROUP BY 1, 2;"
      "UPDATE meta SET as_of = 1796083200000000, state = 'closed';"
      "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
  return database.ok();
}

int Main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: month_ledger DIRECTORY [SESSIONS [PARTS_PER_SESSION [ACCOUNTS]]]\n";
    return 2;
  }
  Size size;
  if (argc > 2) size.sessions = std::atoll(argv[2]);
  if (argc > 3) size.parts = std::atoll(argv[3]);
  if (argc > 4) size.accounts = std::atoll(argv[4]);
  std::filesystem::create_directories(argv[1]);
  auto database = OpenLedgerForWriting(LedgerPath(argv[1]), "");
  if (!database) {
    std::cerr << database.error() << "\n";
    return 1;
  }
  if (Fill(**database, size)) return 0;
  std::cerr << (*database)->error() << "\n";
  return 1;
}

}  // namespace
}  // namespace turnpike

int main(int argc, char** argv) { return turnpike::Main(argc, argv); }
