// Clocks that step, hours that repeat, months that end within a session: every byte stays in one
// bucket and every sum as it was. Metering sees wall time only; no deadline of it can be wrong.
#include <doctest/doctest.h>

#include "common/metering/report.h"
#include "tests/common/metering/billing_world.h"
#include "tests/support/seeded_random.h"

namespace turnpike {
namespace {

using metering_test::At;
using metering_test::BillingWorld;
using metering_test::World;
using std::chrono::days;
using std::chrono::minutes;

constexpr Direction kUp = Direction::kClientToPeer;
constexpr Direction kDown = Direction::kPeerToClient;

uint64_t Billable(const std::string& directory, const std::string& from, const std::string& to) {
  const auto report = UsageReport({directory, *ParsePeriod(from, to), {ReportKey::kRegion}});
  REQUIRE(report);
  return report->rows.empty() ? 0 : report->rows[0].totals.billable_bytes();
}

TEST_CASE("the clock steps by a day, forth and back, with and without a checkpoint between") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    SeededRandom random(seed);
    const TempDirectory directory;
    World world(directory.path());
    world.Start();
    const SlotId slot = world.Begin("acme");
    for (int i = 0; i < 12; ++i) {
      std::array<uint8_t, 2> dice{};
      random.Fill(dice);
      world.now += dice[0] % 3 == 0 ? days(1) : dice[0] % 3 == 1 ? -days(1) : days(0);
      world.Relay(slot, kUp, 100 + dice[1]);
      world.now += minutes(dice[1] % 20);
      world.Relay(slot, kDown, 1);
      if (dice[0] % 2 == 0) world.Checkpoint();
      if (dice[1] % 8 == 0) {
        world.Checkpoint();
        world.Die();
        world.Start();
        world.Checkpoint();
        break;
      }
    }
    world.Checkpoint();
    world.CheckExact();
    CHECK(BillingWorld::VerifyFile(directory.path()) == "");
  }
}

TEST_CASE("an hour that comes twice is billed as what it had both times") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  const SlotId slot = world.Begin("acme");
  for (int round = 0; round < 2; ++round) {
    world.now = At("2026-10-25T01:00Z");
    for (int i = 0; i < 60; ++i) {
      world.Relay(slot, kUp, 10);
      world.now += minutes(1);
      if (i % 13 == 0) world.Checkpoint();
    }
  }
  world.Checkpoint();
  world.CheckExact();
  CHECK(Billable(directory.path(), "2026-10-25T01:00Z", "2026-10-25T01:15Z") == 300);
  CHECK(Billable(directory.path(), "2026-10-25T01:00Z", "2026-10-25T02:00Z") == 1200);
  CHECK(BillingWorld::VerifyFile(directory.path()) == "");
}

TEST_CASE("a session over the end of a month is split at the bucket, and closed in two months") {
  BillingWorld world;
  world.world.now = At("2026-10-31T23:30Z");
  const SlotId slot = world.world.Begin("acme");
  for (int i = 0; i < 60; ++i) {
    world.world.Relay(slot, kUp, 100);
    world.world.Relay(slot, kDown, 1);
    world.world.now += minutes(1);
  }
  world.world.End(slot);
  world.Now("2026-12-10");
  CHECK(Billable(world.directory.path(), "2026-10-01", "2026-11-01") == 30 * 101);
  CHECK(Billable(world.directory.path(), "2026-11-01", "2026-12-01") == 30 * 101);
  CHECK(world.Close("2026-10")->billable_bytes == 30 * 101);
  CHECK(world.Close("2026-11")->billable_bytes == 30 * 101);
  CHECK(world.Verify() == "");
}

TEST_CASE("a clock that steps back into a closed month makes late data, not an edit") {
  BillingWorld world;
  world.Use("acme", 100, "2026-10-20");
  world.Now("2026-11-04");
  REQUIRE(world.Close("2026-10"));
  const SlotId slot = world.world.Begin("acme");
  world.world.Relay(slot, kUp, 5);
  world.world.now = At("2026-10-31T12:00Z");
  world.world.Relay(slot, kUp, 7);
  world.Now("2026-11-05");
  world.world.CheckExact();
  CHECK(CorrectPeriods(world.request)->billable_bytes == 7);
  CHECK(world.Verify() == "");
}

}  // namespace
}  // namespace turnpike
