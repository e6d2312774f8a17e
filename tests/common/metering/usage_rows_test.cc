#include "common/metering/usage_rows.h"

#include <doctest/doctest.h>

#include "tests/common/metering/metering_world.h"
#include "tests/common/metering/rate_tables.h"

namespace turnpike {
namespace {

using metering_test::At;
using metering_test::kNoon;
using metering_test::World;

TEST_CASE("rows are the buckets of the period, by account") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  const SlotId acme = world.Begin("acme");
  const SlotId other = world.Begin("other");
  const SlotId idle = world.Begin("idle");
  world.Relay(acme, Direction::kClientToPeer, 7);
  world.now += std::chrono::minutes(15);
  world.Relay(acme, Direction::kPeerToClient, 20);
  world.Relay(other, Direction::kPeerToClient, 3);
  for (const SlotId slot : {acme, other, idle}) world.End(slot);
  REQUIRE(world.ledger->Finish(*world.slots, world.now));

  const auto all = ReadUsageRows(directory.path(), {}, std::nullopt);
  REQUIRE_MESSAGE(all, all.error());
  CHECK(all->scope.complete);
  REQUIRE(all->accounts.size() == 2);
  const std::vector<UsageRow>& rows = all->accounts.at("acme");
  REQUIRE(rows.size() == 2);
  CHECK(BucketStart(rows[0].bucket) == kNoon);
  CHECK(rows[0].region == "us1");
  CHECK(rows[0].transport == "udp");
  CHECK(rows[0].label == "web");
  CHECK(rows[0].totals.payload_bytes == std::array<uint64_t, 2>{7, 0});
  CHECK(rows[0].totals.wire_bytes == std::array<uint64_t, 2>{11, 0});
  CHECK(rows[1].totals.payload_bytes == std::array<uint64_t, 2>{0, 20});

  const auto late = ReadUsageRows(directory.path(), {At("2026-11-20T12:15Z"), {}}, "other");
  REQUIRE(late);
  REQUIRE(late->accounts.size() == 1);
  CHECK(late->accounts.at("other").size() == 1);
  const auto early = ReadUsageRows(directory.path(), {{}, At("2026-11-20T12:15Z")}, "other");
  REQUIRE(early);
  CHECK(early->accounts.empty());
}

TEST_CASE("an account that the ledger never saw is an error, one without usage is not") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  world.Begin("idle");
  world.Checkpoint();
  const auto idle = ReadUsageRows(directory.path(), {}, "idle");
  REQUIRE(idle);
  CHECK(idle->accounts.empty());
  CHECK(!idle->scope.complete);
  const auto nobody = ReadUsageRows(directory.path(), {}, "nob\nody");
  REQUIRE(!nobody);
  CHECK(nobody.error().find("the ledger knows no account \"nob\\x0Aody\"") == 0);
  CHECK(ReadUsageRows("/nonexistent", {}, {}).error().find("cannot find a ledger") == 0);
}

}  // namespace
}  // namespace turnpike
