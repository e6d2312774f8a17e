// Copies of a ledger that is in use: whole or not there, and never in a checkpoint's way.
#include "common/metering/backup.h"

#include <doctest/doctest.h>

#include "tests/common/metering/billing_world.h"
#include "tests/common/metering/fault_vfs.h"

namespace turnpike {
namespace {

using metering_test::BillingWorld;
using metering_test::FaultVfs;
using metering_test::QueryOne;
using metering_test::World;

// Fill relays in so many sessions that a copy takes several steps.
void Fill(World& world, int sessions) {
  for (int i = 0; i < sessions; ++i) {
    const SlotId slot = world.Begin("acme");
    world.Relay(slot, Direction::kClientToPeer, 100);
    if (i % 2 == 0) world.End(slot);
  }
  world.Checkpoint();
}

TEST_CASE("a backup from the writer has what is committed until its end, books included") {
  const TempDirectory target;
  BillingWorld world;
  world.Use("acme", 100, "2026-10-20");
  world.Now("2026-11-20");
  REQUIRE(world.Close("2026-10"));
  Fill(world.world, 2000);
  REQUIRE(world.world.ledger->BeginBackup(target.path()));
  int steps = 1;
  auto done = world.world.ledger->StepBackup();
  REQUIRE(done);
  REQUIRE(!*done);
  CHECK(!std::filesystem::exists(target.file("usage.db")));
  Fill(world.world, 1000);  // a checkpoint in the middle
  while (!*done) {
    done = world.world.ledger->StepBackup();
    REQUIRE_MESSAGE(done, done.error());
    ++steps;
  }
  CHECK(steps > 2);
  World::CheckSound(target.path());
  CHECK(World::Booked(target.path()) == world.world.expected);
  CHECK(BillingWorld::VerifyFile(target.path()) == "");
  BillingRequest copied = world.request;
  copied.ledger = target.path();
  CHECK(ListPeriods(copied)->front().state == PeriodState::kClosed);
  CHECK(!std::filesystem::exists(target.file("usage.db.part")));
  // The next one takes its place; a server can start on it.
  world.Use("acme", 5, "2026-11-20T12:00Z");
  world.Now("2026-11-21");
  REQUIRE(world.world.ledger->BeginBackup(target.path()));
  while (!*world.world.ledger->StepBackup()) {
  }
  CHECK(World::Booked(target.path()) == world.world.expected);
  CHECK(Ledger::Open(target.path(), metering_test::MakeIdentity(9)).has_value());
}

TEST_CASE("a checkpoint that fails ends the backup; the copy before it stays") {
  const TempDirectory home;
  const TempDirectory target;
  FaultVfs vfs;
  LedgerOptions options;
  options.vfs = FaultVfs::name();
  World world(home.path());
  world.Start(options);
  Fill(world, 10);
  REQUIRE(world.ledger->BeginBackup(target.path()));
  CHECK(*world.ledger->StepBackup());  // small: at once
  const std::string before = metering_test::ReadWhole(target.file("usage.db"));
  Fill(world, 2000);
  REQUIRE(world.ledger->BeginBackup(target.path()));
  CHECK(!*world.ledger->StepBackup());
  world.Begin("umbrella");
  vfs.FailAt(1, 1000, SQLITE_IOERR);
  CHECK(!world.ledger->Checkpoint(*world.slots, world.now));
  vfs.Heal();
  CHECK(world.ledger->StepBackup().error() == "a failed checkpoint ended the backup");
  CHECK(metering_test::ReadWhole(target.file("usage.db")) == before);
  CHECK(!std::filesystem::exists(target.file("usage.db.part")));
}

TEST_CASE("a backup goes to a directory of its own") {
  const TempDirectory home;
  World world(home.path());
  world.Start();
  CHECK(world.ledger->BeginBackup("/nowhere").error() == "/nowhere is no directory: make it first");
  CHECK(world.ledger->BeginBackup(home.path()).error() ==
        home.path() + " is a server's metering directory: a backup needs one of its own");
}

}  // namespace
}  // namespace turnpike
