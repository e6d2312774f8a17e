// What is taken of a session that two ledgers know; merge_test.cc has whole merges.
#include "common/metering/merger.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "common/metering/merge.h"
#include "tests/common/metering/metering_world.h"

namespace turnpike {
namespace {

using metering_test::QueryOne;
using metering_test::World;

TEST_CASE("of two ledgers that split a session differently, one is taken whole") {
  const TempDirectory home;
  const TempDirectory first;
  const TempDirectory second;
  World world(home.path());
  world.Start();
  const SlotId slot = world.Begin("acme");
  world.Relay(slot, Direction::kClientToPeer, 100);
  world.now += std::chrono::minutes(20);
  world.Relay(slot, Direction::kClientToPeer, 50);
  world.Checkpoint();
  metering_test::CopyMetering(home.path(), first.path());
  CHECK(QueryOne(first.path(), "SELECT count(*) FROM usage_part") == "2");
  // The ledger goes; the slot knows no boundary that was stored.
  world.ledger.reset();
  for (const char* name : {"/usage.db", "/usage.db-wal", "/usage.db-shm"}) {
    std::filesystem::remove(home.path() + name);
  }
  world.ledger = std::move(*Ledger::Open(home.path(), world.identity));
  world.Relay(slot, Direction::kClientToPeer, 5);
  world.Checkpoint();
  metering_test::CopyMetering(home.path(), second.path());
  CHECK(QueryOne(second.path(), "SELECT count(*) FROM usage_part") == "1");
  for (const bool swapped : {false, true}) {
    CAPTURE(swapped);
    const TempDirectory target;
    MergeOptions options;
    options.sources = {first.path(), second.path()};
    if (swapped) std::swap(options.sources[0], options.sources[1]);
    options.output = target.file("usage.db");
    for (int i = 0; i < 2; ++i) {
      const auto merged = MergeLedgers(options);
      REQUIRE_MESSAGE(merged, merged.error());
      CHECK(merged->billable_bytes == 155);
      CHECK(QueryOne(target.path(), "SELECT count(*) FROM usage_part") == "1");
    }
  }
}

}  // namespace
}  // namespace turnpike
