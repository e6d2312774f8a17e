// Retention: who and where is erased after a time, usage and sums stay.
#include <doctest/doctest.h>

#include "common/metering/report.h"
#include "tests/common/metering/billing_world.h"
#include "tests/common/metering/fault_vfs.h"

namespace turnpike {
namespace {

using metering_test::BillingWorld;
using metering_test::FaultVfs;
using metering_test::QueryOne;
using metering_test::World;
using std::chrono::hours;

constexpr const char* kTraces =
    "SELECT count(*) FROM session WHERE username <> x'' OR client_address <> '' OR "
    "relayed_address <> '' OR key IN (SELECT session FROM session_drop)";

// Use runs an old session, a young one, and one that still lives.
void Use(World& world) {
  const auto begin = [&] {
    const SlotId slot = world.Begin("acme");
    world.Relay(slot, Direction::kClientToPeer, 100);
    world.sessions.at(slot).first.AddDrop(DropReason::kNoChannel);
    return slot;
  };
  const SlotId live = begin();
  world.End(begin());
  world.now += hours(24 * 80);
  world.End(begin());
  world.Relay(live, Direction::kPeerToClient, 7);
  world.Checkpoint();
  world.now += hours(24 * 20);
}

TEST_CASE("of a session that ended long ago username, addresses and drops are erased, no usage") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  Use(world);
  CHECK(QueryOne(directory.path(), kTraces) == "3");
  for (int i = 0; i < 2; ++i) {
    REQUIRE(world.ledger->Forget(world.now - hours(24 * 90), world.now - hours(24 * 396)));
    CHECK(QueryOne(directory.path(), kTraces) == "2");
    CHECK(QueryOne(directory.path(), "SELECT client_address FROM session WHERE key = 2") == "");
    world.CheckExact();
    CHECK(BillingWorld::VerifyFile(directory.path()) == "");
  }
  // Nothing brings it back: not the next start, and the session that lives goes on.
  world.Die();
  world.Start();
  world.Checkpoint();
  CHECK(QueryOne(directory.path(), kTraces) == "2");
  world.CheckExact();
}

// Prune forgets what ended 90 days ago, in as many steps as it takes.
void Prune(World& world) {
  for (int i = 0; i < 10; ++i) {
    REQUIRE(world.ledger->Forget(world.now - hours(24 * 90), world.now - hours(24 * 90)));
  }
}

TEST_CASE("a session is forgotten with its parts; buckets, totals and reports stay right") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  Use(world);
  Prune(world);
  CHECK(QueryOne(directory.path(), "SELECT count(*) FROM session") == "2");
  CHECK(QueryOne(directory.path(), "SELECT count(*) FROM usage_pruned") == "1");
  CHECK(QueryOne(directory.path(), "SELECT sum(sessions) FROM usage_bucket") == "3");
  CHECK(BillingWorld::VerifyFile(directory.path()) == "");
  CHECK(World::Booked(directory.path()) == world.expected);
  const auto report = UsageReport({directory.path(), {}, {ReportKey::kEdge}});
  REQUIRE(report);
  REQUIRE(report->rows.size() == 1);
  CHECK(report->rows[0].totals.billable_bytes() == 307);
  CHECK(report->rows[0].sessions == 3);
  // The session that lives goes on, in this life of the server and the next.
  world.Relay(world.sessions.begin()->first, Direction::kPeerToClient, 5);
  world.Checkpoint();
  world.Die();
  world.Start();
  world.Checkpoint();
  Prune(world);
  CHECK(World::Booked(directory.path()) == world.expected);
  CHECK(BillingWorld::VerifyFile(directory.path()) == "");
  // One byte less in what is left of it is a difference that is named.
  metering_test::Query(directory.path(),
                       "UPDATE usage_pruned SET client_to_peer_bytes = client_to_peer_bytes - 1");
  CHECK(BillingWorld::VerifyFile(directory.path()).starts_with("buckets: bucket 2026-11-20T12:00"));
}

TEST_CASE("a session with more parts than go at once keeps the sums right at every step") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  const SlotId slot = world.Begin("acme");
  for (int part = 0; part < 700; ++part) {
    world.Relay(slot, Direction::kClientToPeer, 10);
    world.now += std::chrono::minutes(15);
    if (part % 8 == 0) world.Checkpoint();
  }
  world.End(slot);
  world.Checkpoint();
  world.now += hours(24 * 91);
  for (const char* left : {"200", "0", "0"}) {
    REQUIRE(world.ledger->Forget(world.now - hours(24 * 90), world.now - hours(24 * 90)));
    CHECK(QueryOne(directory.path(), "SELECT count(*) FROM usage_part") == left);
    CHECK(BillingWorld::VerifyFile(directory.path()) == "");
    CHECK(World::Booked(directory.path()) == world.expected);
  }
  CHECK(QueryOne(directory.path(), "SELECT count(*) FROM session") == "0");
}

TEST_CASE(
    "one failing file operation, for every one: forgetting loses no byte, and is done later") {
  for (int64_t k = 1;; ++k) {
    CAPTURE(k);
    const TempDirectory directory;
    FaultVfs vfs;
    LedgerOptions options;
    options.vfs = FaultVfs::name();
    World world(directory.path());
    world.Start(options);
    Use(world);
    vfs.FailAt(k, 1, SQLITE_IOERR);
    for (int i = 0; i < 3; ++i) {
      static_cast<void>(
          world.ledger->Forget(world.now - hours(24 * 90), world.now - hours(24 * 90)));
    }
    const bool failed = vfs.failed();
    vfs.Heal();
    CHECK(World::Booked(directory.path()) == world.expected);
    CHECK(BillingWorld::VerifyFile(directory.path()) == "");
    Prune(world);
    CHECK(QueryOne(directory.path(), "SELECT count(*) FROM session") == "2");
    CHECK(BillingWorld::VerifyFile(directory.path()) == "");
    if (!failed) {
      CHECK(k > 3);
      return;
    }
  }
}

TEST_CASE("one failing file operation, for every one: erasing loses no byte, and is done later") {
  for (int64_t k = 1;; ++k) {
    CAPTURE(k);
    const TempDirectory directory;
    FaultVfs vfs;
    LedgerOptions options;
    options.vfs = FaultVfs::name();
    World world(directory.path());
    world.Start(options);
    Use(world);
    vfs.FailAt(k, 1, SQLITE_IOERR);
    const bool erased =
        world.ledger->Forget(world.now - hours(24 * 90), world.now - hours(24 * 396)).has_value();
    const bool failed = vfs.failed();
    vfs.Heal();
    const std::string left = QueryOne(directory.path(), kTraces);
    CHECK((left == "2" || (left == "3" && !erased)));
    world.CheckExact();
    world.Checkpoint();
    REQUIRE(world.ledger->Forget(world.now - hours(24 * 90), world.now - hours(24 * 396)));
    CHECK(QueryOne(directory.path(), kTraces) == "2");
    CHECK(BillingWorld::VerifyFile(directory.path()) == "");
    if (!failed) {
      CHECK(k > 3);
      return;
    }
  }
}

}  // namespace
}  // namespace turnpike
