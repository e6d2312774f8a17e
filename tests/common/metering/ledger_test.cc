#include "common/metering/ledger.h"

#include <doctest/doctest.h>

#include "tests/common/metering/metering_world.h"

namespace turnpike {
namespace {

using metering_test::kNoon;
using metering_test::Query;
using metering_test::QueryOne;
using metering_test::World;
using std::chrono::seconds;

constexpr Direction kUp = Direction::kClientToPeer;
constexpr Direction kDown = Direction::kPeerToClient;

TEST_CASE("a checkpoint stores each session with everything that is known of it") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  const SlotId slot = world.Begin("acme");
  world.Relay(slot, kUp, 100);
  world.Relay(slot, kDown, 40);
  world.sessions.at(slot).first.AddDrop(DropReason::kPeerDenied);
  world.Checkpoint();
  world.CheckExact();
  CHECK(QueryOne(directory.path(), "SELECT ended_at FROM session") == "NULL");
  world.now += seconds(90);
  world.Relay(slot, kUp, 1);
  world.sessions.at(slot).first.AddDrop(DropReason::kPeerDenied);
  world.End(slot, CloseReason::kTransportClosed);
  const auto stats = world.ledger->Checkpoint(*world.slots, world.now);
  REQUIRE(stats);
  CHECK(stats->sessions == 1);
  CHECK(stats->freed_slots == 1);
  CHECK(world.slots->used() == 0);
  world.CheckExact();
  const auto rows = Query(
      directory.path(),
      "SELECT node, region, edge, account.name, label, username, transport, client_address, "
      "relayed_address, started_at, ended_at, close_reason, client_to_peer_bytes, "
      "peer_to_client_bytes, client_to_peer_wire_bytes, peer_to_client_wire_bytes, "
      "client_to_peer_packets, peer_to_client_packets, packets FROM session JOIN boot ON boot.key "
      "= "
      "boot JOIN account ON account.key = account JOIN session_drop ON session = session.key");
  const std::vector<std::string> expected = {"relay-1",
                                             "us1",
                                             "ashburn",
                                             "acme",
                                             "web",
                                             "user-1",
                                             "udp",
                                             "198.51.100.7:40000",
                                             "203.0.113.7:10000",
                                             "1795176000000000",
                                             "1795176090000000",
                                             "transport_closed",
                                             "101",
                                             "40",
                                             "109",
                                             "44",
                                             "2",
                                             "1",
                                             "2"};
  REQUIRE(rows.size() == 1);
  CHECK(rows[0] == expected);
}

TEST_CASE("a repeated checkpoint changes nothing") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  const SlotId slot = world.Begin("acme");
  world.Relay(slot, kUp, 100);
  for (int i = 0; i < 3; ++i) world.Checkpoint();
  world.CheckExact();
  // Also after a connection that knew the stored totals is gone.
  world.ledger.reset();
  world.ledger = *Ledger::Open(directory.path(), world.identity);
  world.Checkpoint();
  world.CheckExact();
  CHECK(QueryOne(directory.path(), "SELECT count(*) FROM session") == "1");
}

TEST_CASE("bytes are booked in the bucket of their time, whenever the checkpoint comes") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  const SlotId slot = world.Begin("acme");
  for (int i = 0; i < 40; ++i) {
    world.Relay(slot, i % 3 == 0 ? kUp : kDown, 1000 + static_cast<uint64_t>(i));
    if (i % 7 == 0) world.Checkpoint();
    world.now += seconds(400);
  }
  world.Checkpoint();
  world.CheckExact();
}

TEST_CASE("clock steps in both directions keep sums and buckets exact") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  const SlotId slot = world.Begin("acme");
  for (const int step : {0, 900, -900, -3600, 7200, -900, 0, 1800}) {
    world.now += seconds(step);
    world.Relay(slot, kUp, 100);
    world.Relay(slot, kDown, 33);
    if (step < 0) world.Checkpoint();
  }
  world.End(slot);
  world.Checkpoint();
  world.CheckExact();
}

TEST_CASE("an outage of 15 buckets splits right, a longer one keeps every byte") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  const SlotId slot = world.Begin("acme");
  world.Relay(slot, kUp, 5);
  world.Checkpoint();
  // The ring has a place for the bucket that is settled and 15 more.
  WallTime last = world.now;
  for (int i = 1; i <= 20; ++i) {
    world.now += seconds(900);
    if (i <= 15) last = world.now;
    world.RelayAt(slot, kUp, 100, last);
  }
  world.Checkpoint();
  world.CheckExact();
  world.Relay(slot, kDown, 7);
  world.Checkpoint();
  world.CheckExact();
}

TEST_CASE("the worked example of LEDGER.md") {
  const TempDirectory directory;
  World world(directory.path());
  world.now += std::chrono::minutes(10);
  world.Start();
  const SlotId slot = world.Begin("acme");
  const auto relay_until = [&](int minute, uint64_t payload) {
    world.now = kNoon + std::chrono::minutes(minute) - std::chrono::microseconds(1);
    world.Relay(slot, kUp, payload);
  };
  const auto parts = [&] {
    std::vector<std::string> bytes;
    for (const auto& row :
         Query(directory.path(), "SELECT client_to_peer_bytes FROM usage_part ORDER BY bucket")) {
      bytes.push_back(row[0]);
    }
    return bytes;
  };
  using Parts = std::vector<std::string>;
  relay_until(14, 100);
  world.Checkpoint();
  CHECK(parts() == Parts{"100"});
  relay_until(15, 20);
  relay_until(20, 30);
  world.Checkpoint();
  CHECK(parts() == Parts{"120", "30"});
  relay_until(30, 40);
  relay_until(31, 5);
  world.Checkpoint();
  world.Checkpoint();
  CHECK(parts() == Parts{"120", "70", "5"});
  world.CheckExact();
}

TEST_CASE("a session of more than 4 GiB") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  const SlotId slot = world.Begin("acme");
  for (int i = 0; i < 5; ++i) {
    world.Relay(slot, kUp, uint64_t{3} << 30);
    world.Relay(slot, kDown, uint64_t{1} << 40);
    world.now += seconds(700);
    world.Checkpoint();
  }
  world.CheckExact();
  CHECK(QueryOne(directory.path(), "SELECT sum(client_to_peer_bytes) FROM usage_part") ==
        std::to_string(uint64_t{15} << 30));
}

TEST_CASE("totals beyond SQLite's integers saturate and stop nothing") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  for (int i = 0; i < 2; ++i) {
    world.sessions.at(world.Begin("acme")).first.Add(kUp, UINT64_MAX - 4, 0, BucketOf(world.now));
  }
  world.Checkpoint();
  world.sessions.at(world.Begin("acme")).first.Add(kUp, 1, 1, BucketOf(world.now));
  world.Checkpoint();
  CHECK(QueryOne(directory.path(), "SELECT client_to_peer_bytes FROM usage_bucket") ==
        "9223372036854775807");
}

TEST_CASE("names are bytes: NUL, invalid UTF-8 and quotes stay apart and exact") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  using namespace std::string_literals;
  for (const std::string& account :
       {"a"s, "a\0"s, "a\0b"s, "\xFF"s, "\xC3\xBF"s, "a'\"\n,"s, ""s}) {
    world.Relay(world.Begin(account), kUp, account.size() + 1);
  }
  world.Checkpoint();
  world.CheckExact();
  CHECK(QueryOne(directory.path(), "SELECT count(*) FROM account") == "7");
}

TEST_CASE("after a crash every byte lands, under the node and region that relayed it") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  const SlotId stored = world.Begin("acme");
  world.Relay(stored, kUp, 10);
  world.Checkpoint();
  world.now += seconds(3);
  world.Relay(stored, kUp, 20);
  world.Relay(world.Begin("newcomer"), kDown, 30);
  world.Die();

  world.now += seconds(3600);
  world.identity.region = "de1";
  world.Start();
  world.Relay(world.Begin("acme"), kUp, 1000);
  world.Checkpoint();
  world.CheckExact();
  const auto rows = Query(directory.path(),
                          "SELECT client_to_peer_bytes + peer_to_client_bytes, region, "
                          "close_reason, ended_at FROM session JOIN boot ON boot.key = boot "
                          "ORDER BY 1");
  REQUIRE(rows.size() == 3);
  // The end of a crashed session is the last heartbeat, or its start when that is later.
  CHECK(rows[0] == std::vector<std::string>{"30", "us1", "crash", "1795176000000000"});
  CHECK(rows[1] == std::vector<std::string>{"30", "us1", "crash", "1795176003000000"});
  CHECK(rows[2] == std::vector<std::string>{"1000", "de1", "NULL", "NULL"});
  CHECK(QueryOne(directory.path(), "SELECT count(*) FROM usage_bucket WHERE region = x'646531'") ==
        "1");
}

TEST_CASE("sessions that no slot knows any more end at the last checkpoint") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  world.Relay(world.Begin("acme"), kUp, 10);
  world.now += seconds(60);
  world.Checkpoint();
  world.Die();
  std::filesystem::remove(directory.file("live.slots"));
  world.now += seconds(600);
  world.Start();
  const SlotId kept = world.Begin("acme");
  world.Relay(kept, kUp, 5);
  world.Checkpoint();
  world.CheckExact();
  const auto rows =
      Query(directory.path(), "SELECT close_reason, ended_at FROM session ORDER BY key");
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] == std::vector<std::string>{"crash", "1795176060000000"});
  CHECK(rows[1] == std::vector<std::string>{"NULL", "NULL"});
  world.Checkpoint();
  CHECK(QueryOne(directory.path(), "SELECT count(*) FROM session WHERE ended_at IS NULL") == "1");
}

TEST_CASE("Finish marks the ledger closed and leaves one file; a new start opens it") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  const SlotId slot = world.Begin("acme");
  world.Relay(slot, kUp, 10);
  REQUIRE(world.ledger->Finish(*world.slots, world.now));
  CHECK(QueryOne(directory.path(), "SELECT state FROM meta") == "open");  // a session still lives
  world.End(slot, CloseReason::kDrained);
  REQUIRE(world.ledger->Finish(*world.slots, world.now));
  CHECK(!std::filesystem::exists(directory.file("usage.db-wal")));
  CHECK(QueryOne(directory.path(), "SELECT state FROM meta") == "closed");
  world.Die();
  world.Start();
  CHECK(QueryOne(directory.path(), "SELECT state FROM meta") == "open");
  world.CheckExact();
}

TEST_CASE("BillableTotals list accounts as they appeared, and survive restarts") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  for (const char* account : {"zebra", "apple", "mango"})
    world.Relay(world.Begin(account), kUp, 10);
  world.Checkpoint();
  world.Die();
  world.identity.region = "de1";
  world.Start();
  const SlotId slot = world.Begin("zebra");
  world.Relay(slot, kDown, 7);
  CHECK(world.ledger->BillableTotals().size() == 3);
  CHECK(world.ledger->UnpersistedBytes(*world.slots) == 37);  // recovered ones are not known yet
  world.Checkpoint();
  CHECK(world.ledger->UnpersistedBytes(*world.slots) == 0);
  world.Relay(slot, kDown, 5);
  CHECK(world.ledger->UnpersistedBytes(*world.slots) == 5);
  const auto& totals = world.ledger->BillableTotals();
  REQUIRE(totals.size() == 4);
  CHECK(totals[0].account == "zebra");
  CHECK(totals[0].region == "de1");
  CHECK(totals[0].payload_bytes == std::array<uint64_t, 2>{0, 7});
  CHECK(totals[1].account == "zebra");
  CHECK(totals[1].region == "us1");
  CHECK(totals[2].account == "apple");
  CHECK(totals[3].account == "mango");
}

TEST_CASE("a writer beside us makes a checkpoint fail, and the next one heals") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  const SlotId slot = world.Begin("acme");
  world.Relay(slot, kUp, 10);
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(directory.file("usage.db").c_str(), &other) == SQLITE_OK);
  sqlite3_db_config(other, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  const auto stats = world.ledger->Checkpoint(*world.slots, world.now);
  REQUIRE(!stats);
  CHECK(stats.error().find("usage.db: database is locked") != std::string::npos);
  sqlite3_close(other);
  world.Relay(slot, kUp, 20);
  CHECK(world.ledger->UnpersistedBytes(*world.slots) == 30);
  world.Checkpoint();
  CHECK(world.ledger->UnpersistedBytes(*world.slots) == 0);
  world.CheckExact();
}

}  // namespace
}  // namespace turnpike
