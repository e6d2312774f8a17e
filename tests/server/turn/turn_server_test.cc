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

TEST_CASE("without relay addresses it is a STUN server: Binding works, Allocate is 440") {
  auto settings = CoreWorld::DefaultSettings();
  settings.relay_addresses.clear();
  CoreWorld world(settings);
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const auto binding =
      alice.Exchange(alice.BuildPlain(stun::Class::kRequest, stun::Method::kBinding, {}));
  CHECK(binding->success());
  CHECK(alice.Request(stun::Method::kAllocate, RequestedUdp).code() == 440);
}

TEST_CASE("a quiet server has no deadline, and OnTimer too early does no harm") {
  CoreWorld world;
  CHECK(!world.server().NextDeadline());
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  CHECK(world.server().NextDeadline() == world.now().mono + std::chrono::seconds(600));
  world.server().OnTimer(world.now());
  CHECK(world.server().allocation_count() == 1);
  // A refresh does not touch the heap; the old deadline passes and the new one stands.
  CHECK(alice.Refresh(3600).code() == 0);
  world.Advance(std::chrono::seconds(600));
  CHECK(world.server().NextDeadline() == world.now().mono + std::chrono::seconds(3000));
}

}  // namespace turnpike
