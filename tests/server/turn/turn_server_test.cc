#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {

TEST_CASE("a call from the first 401 to the last byte") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  const auto there = alice.SendChannel(0x4000, "hello");
  REQUIRE(there);
  CHECK(there->to == "9.9.9.9:9");
  CHECK(there->payload == Bytes{'h', 'e', 'l', 'l', 'o'});
  const auto back = world.FromPeer(relay, "9.9.9.9:9", AsBytes("hi"));
  REQUIRE(back);
  CHECK(back->message == Bytes{0x40, 0x00, 0, 2, 'h', 'i'});
  const UsageTotals totals = world.meters().Totals(world.SlotOf(relay));
  CHECK(totals.payload_bytes == std::array<uint64_t, 2>{5, 2});
  CHECK(totals.wire_bytes == std::array<uint64_t, 2>{9, 6});
  CHECK(alice.Refresh(0).code() == 0);
  CHECK(world.TakeLog() == Lines{"close " + relay, "closed s0 refreshed_to_zero"});
}

}  // namespace turnpike
