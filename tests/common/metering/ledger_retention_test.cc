// Retention: who and where is erased after a time, usage and sums stay.
#include <doctest/doctest.h>

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
    REQUIRE(world.ledger->EraseSessions(world.now - hours(24 * 90)));
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
    const bool erased = world.ledger->EraseSessions(world.now - hours(24 * 90)).has_value();
    const bool failed = vfs.failed();
    vfs.Heal();
    const std::string left = QueryOne(directory.path(), kTraces);
    CHECK((left == "2" || (left == "3" && !erased)));
    world.CheckExact();
    world.Checkpoint();
    REQUIRE(world.ledger->EraseSessions(world.now - hours(24 * 90)));
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
