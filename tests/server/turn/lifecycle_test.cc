#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Method;

TEST_CASE("8656_6 an allocation that expires closes its relay and its session at that moment") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  world.Advance(std::chrono::milliseconds(599'999));
  CHECK(world.server().allocation_count() == 1);
  world.Advance(std::chrono::milliseconds(1));
  CHECK(world.TakeLog() == Lines{"close " + relay, "closed s0 expired"});
  CHECK(!alice.SendChannel(0x4000, "x"));
  CHECK(!world.FromPeer(relay, "9.9.9.9:9", AsBytes("x")));
  CHECK(alice.Permit("9.9.9.9:9").code() == 437);
  CHECK(world.directory().ports_in_use() == 0);
  CHECK(world.server().stats().allocations[0][0].Get() == 0);
  const TurnStats& stats = world.server().stats();
  CHECK(stats.closed[static_cast<size_t>(CloseReason::kExpired)].Get() == 1);
  CHECK(stats.duration_sum_ms.Get() == 600'000);
  CHECK(stats.duration_buckets[4].Get() == 1);
}

TEST_CASE("what has expired is gone even if the timer is late") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  world.AdvanceWithoutTimers(std::chrono::seconds(600));
  CHECK(!alice.SendChannel(0x4000, "x"));
  CHECK(!world.FromPeer(relay, "9.9.9.9:9", AsBytes("x")));
  CHECK(alice.Request(Method::kAllocate, RequestedUdp).code() == 0);
  CHECK(world.TakeLog() == Lines{"close " + relay, "closed s0 expired", "open r2 5.5.5.5 slot"});
}

TEST_CASE("an allocation stays countable until its last Forward is reported") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret", Transport::kTcp);
  const std::string relay = alice.Allocate();
  const SlotId slot = world.SlotOf(relay);
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  world.hold_sends = true;
  CHECK(alice.SendChannel(0x4000, "abc"));
  CHECK(world.FromPeer(relay, "9.9.9.9:9", AsBytes("de")));
  CHECK(alice.Refresh(0).code() == 0);
  CHECK(world.TakeLog() == Lines{"close " + relay});  // at once; the session is not over
  CHECK(world.server().allocation_count() == 0);
  // The 5-tuple is free, and a new session there is another one.
  world.hold_sends = false;
  const std::string next = alice.Allocate();
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  CHECK(alice.SendChannel(0x4000, "new"));
  world.ReportHeld();
  CHECK(world.TakeLog() == Lines{"closed s0 refreshed_to_zero"});
  CHECK(world.meters().Totals(slot).payload_bytes == std::array<uint64_t, 2>{3, 2});
  CHECK(world.meters().Totals(world.SlotOf(next)).payload_bytes == std::array<uint64_t, 2>{3, 0});
}

TEST_CASE("a closed connection ends its allocation, and no other") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret", Transport::kTcp);
  TestClient bob(world, "7.7.7.7:1001", "bob", "hunter2", Transport::kTls);
  const std::string relay = alice.Allocate();
  CHECK(!world.server().HasAllocation(bob.address.link));
  bob.Allocate();
  CHECK(world.server().HasAllocation(bob.address.link));
  world.server().OnLinkClosed(alice.address.link, world.now());
  world.server().OnLinkClosed(alice.address.link, world.now());
  CHECK(!world.server().HasAllocation(alice.address.link));
  world.server().OnLinkClosed(LinkId(77), world.now());
  world.Poll();
  CHECK(world.TakeLog() == Lines{"close " + relay, "closed s0 transport_closed"});
  CHECK(world.server().allocation_count() == 1);
  CHECK(bob.Refresh(600).code() == 0);
  // After its allocation has ended otherwise, a connection's end concerns nobody.
  CHECK(bob.Refresh(0).code() == 0);
  CHECK(world.TakeLog().size() == 2);
  world.server().OnLinkClosed(bob.address.link, world.now());
  world.Poll();
  CHECK(world.TakeLog().empty());
}

TEST_CASE("CloseAll ends every allocation with its reason") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  TestClient bob(world, "7.7.7.7:1001", "bob", "hunter2");
  alice.Allocate();
  bob.Allocate();
  world.server().CloseAll(CloseReason::kDrained, world.now());
  world.Poll();
  CHECK(world.TakeLog() == Lines{"close r1", "closed s0 drained", "close r2", "closed s1 drained"});
  CHECK(world.directory().ports_in_use() == 0);
}

TEST_CASE("EndSessions ends the sessions that are named, and no other") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  TestClient bob(world, "7.7.7.7:1001", "bob", "hunter2");
  alice.Allocate();
  bob.Allocate();
  const SessionId session = world.SessionOf("r2").id;
  CHECK(world.server().EndSessions({{session}}, CloseReason::kQuota, world.now()) == 1);
  world.Poll();
  CHECK(world.TakeLog() == Lines{"close r2", "closed s1 quota"});
  CHECK(world.server().EndSessions({{session}}, CloseReason::kQuota, world.now()) == 0);
  CHECK(alice.Refresh(600).code() == 0);
}

TEST_CASE("thousands of allocations expire in order, each at its moment") {
  auto settings = CoreWorld::DefaultSettings();
  settings.min_port = 10000;
  settings.max_port = 20000;
  CoreWorld world(settings);
  std::vector<std::unique_ptr<TestClient>> clients;
  constexpr int kClients = 300;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<TestClient>(world, "7.7.7.7:" + std::to_string(1000 + i),
                                                   "alice", "s3cret"));
    clients.back()->Allocate();
    CHECK(clients.back()->Permit("9.9.9.9:9").code() == 0);
    world.Advance(std::chrono::seconds(1));
  }
  // Every other one refreshes; the rest goes, one a second.
  for (int i = 0; i < kClients; i += 2) CHECK(clients[size_t(i)]->Refresh(3600).code() == 0);
  CHECK(world.server().allocation_count() == kClients);
  world.Advance(std::chrono::seconds(600 - kClients));
  for (int i = 0; i < kClients; ++i) {
    CHECK(world.TakeLog().size() == (i % 2 == 0 ? 0 : 2));
    world.Advance(std::chrono::seconds(1));
  }
  CHECK(world.server().allocation_count() == kClients / 2);
  CHECK(world.TakeLog().empty());
}

}  // namespace turnpike
