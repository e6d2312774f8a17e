#include "common/metering/verify.h"

#include <doctest/doctest.h>

#include "tests/common/metering/billing_world.h"
#include "tests/common/metering/ledger_v1.h"

namespace turnpike {
namespace {

using metering_test::BillingWorld;
using metering_test::Query;
using metering_test::World;

// UsedWorld has sessions of two accounts over three buckets.
struct UsedWorld {
  TempDirectory directory;
  World world{directory.path()};

  UsedWorld() {
    world.Start();
    for (int i = 0; i < 6; ++i) {
      const SlotId slot = world.Begin(i % 2 == 0 ? "acme" : "umbrella");
      world.Relay(slot, Direction::kClientToPeer, 100);
      world.now += std::chrono::minutes(10);
      world.Relay(slot, Direction::kPeerToClient, 7);
    }
    world.Checkpoint();
  }
  std::string Verify() const { return BillingWorld::VerifyFile(directory.path()); }
  void Change(const std::string& sql) const { Query(directory.path(), sql); }
};

TEST_CASE("a ledger agrees with itself beside its writer, also when it is empty") {
  const TempDirectory directory;
  World empty(directory.path());
  empty.Start();
  CHECK(BillingWorld::VerifyFile(directory.path()) == "");
  const UsedWorld used;
  VerifyOptions options;
  options.ledger = used.directory.path();
  std::vector<std::string> steps;
  options.progress = [&](std::string_view step, uint64_t percent) {
    CHECK(percent <= 100);
    if (steps.empty() || steps.back() != step) steps.emplace_back(step);
  };
  const auto report = VerifyLedger(options);
  REQUIRE(report);
  CHECK(report->as_of == used.world.now);
  std::vector<std::string> names;
  for (const VerifyCheck& check : report->checks) {
    CHECK(check.ok);
    names.emplace_back(check.name);
  }
  CHECK(names == std::vector<std::string>{"schema", "integrity", "references", "sessions",
                                          "buckets", "totals", "chain"});
  CHECK(steps == std::vector<std::string>{"integrity", "references", "sessions", "buckets"});
}

TEST_CASE("one unit more or less in any column of any table is found, and its row named") {
  const std::vector<std::string> totals = {"client_to_peer_bytes",      "peer_to_client_bytes",
                                           "client_to_peer_wire_bytes", "peer_to_client_wire_bytes",
                                           "client_to_peer_packets",    "peer_to_client_packets"};
  for (const std::string table : {"session", "usage_part", "usage_bucket", "usage_total"}) {
    for (const std::string& column : totals) {
      if (table == "usage_total" && column.find("_bytes") == std::string::npos) continue;
      if (table == "usage_total" && column.find("wire") != std::string::npos) continue;
      CAPTURE(table);
      CAPTURE(column);
      const UsedWorld used;
      const std::string where = table == "session" ? " WHERE key = 3"
                                : table == "usage_total"
                                    ? " WHERE account = 1"
                                    : " WHERE bucket = (SELECT max(bucket) FROM " + table + ")";
      used.Change("UPDATE " + table + " SET " + column + " = " + column + " + 1" + where);
      const std::string found = used.Verify();
      CHECK(found.find(column) != std::string::npos);
      const std::string begin = table == "usage_bucket"  ? "buckets: bucket 2026-11-20T1"
                                : table == "usage_total" ? "totals: account acme, region us1"
                                                         : "sessions: session 0";
      CHECK(found.starts_with(begin));
    }
  }
}

TEST_CASE("what SQLite keeps for itself is nobody's damage") {
  const UsedWorld used;
  used.Change("ANALYZE");
  CHECK(used.Verify() == "");
}

TEST_CASE("rows that are missing or too many are found") {
  struct Row {
    const char* sql;
    const char* found;
  };
  for (const Row& row : std::vector<Row>{
           {"DELETE FROM usage_part WHERE session = 2", "sessions: session "},
           {"DELETE FROM usage_bucket WHERE account = 2",
            "buckets: bucket 2026-11-20T12:00:00Z of "
            "account umbrella, region us1, transport "
            "udp, label web: usage_bucket has "
            "client_to_peer_bytes 0, its sessions "
            "add up to 100"},
           {"UPDATE usage_bucket SET sessions = sessions + 1 WHERE account = 1", "buckets: "},
           {"DELETE FROM usage_total WHERE account = 2", "totals: account umbrella, region us1: "},
           {"INSERT INTO usage_total VALUES (2, x'6465', 0, 9)",
            "totals: account umbrella, region de: "},
           {"DELETE FROM session WHERE key = 2", "references: a row of usage_part"},
           {"UPDATE session SET account = 1 WHERE key = 2", "buckets: "},
           {"UPDATE session SET started_at = started_at + 900000000 WHERE key = 2", "buckets: "},
           {"INSERT INTO usage_pruned VALUES (1, 1, 1, 'udp', x'', 1, 1, 1, 1, 1, 1, 1)",
            "buckets: bucket 1970-01-01T00:15:00Z"},
           {"DROP TABLE usage_pruned", "schema: it lacks usage_pruned.account"},
           {"ALTER TABLE session ADD COLUMN extra INTEGER",
            "schema: it has an unknown session.extra INTEGER"}}) {
    CAPTURE(std::string(row.sql));
    const UsedWorld used;
    used.Change(row.sql);
    CHECK(used.Verify().starts_with(row.found));
  }
}

TEST_CASE("a page that flipped is found") {
  UsedWorld used;
  const std::string path = used.directory.file("usage.db");
  for (int i = 0; i < 200; ++i) used.world.Begin("account-" + std::to_string(i));
  used.world.Checkpoint();
  used.world.slots->CloseAllLive(CloseReason::kDrained, used.world.now);
  REQUIRE(used.world.ledger->Finish(*used.world.slots, used.world.now));
  used.world.Die();
  CHECK(used.Verify() == "");
  std::string bytes = metering_test::ReadWhole(path);
  bytes.replace(12 * 4096, 4096, 4096, '\x5A');
  metering_test::WriteWhole(path, bytes);
  CHECK(!used.Verify().empty());
}

TEST_CASE("a ledger of schema 1 is verified as it is") {
  UsedWorld used;
  const TempDirectory old;
  used.world.Die();
  metering_test::MakeVersion1(used.directory.file("usage.db"), old.file("usage.db"));
  CHECK(BillingWorld::VerifyFile(old.path()) == "");
  Query(old.path(), "UPDATE session SET client_to_peer_bytes = 1 WHERE key = 3");
  CHECK(BillingWorld::VerifyFile(old.path()).starts_with("sessions: session 0"));
}

}  // namespace
}  // namespace turnpike
