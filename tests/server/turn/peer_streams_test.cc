// Connections with peers (RFC 6062): how they come, what is billed of them, how they end.
#include <doctest/doctest.h>

#include "server/turn/allocation.h"
#include "tests/server/turn/tcp_world.h"

namespace turnpike {

using stun::AttributeType;
using stun::Class;
using stun::Method;

TEST_CASE("6062_5_3 a permitted peer's connection is told to the client") {
  TcpWorld world;
  const std::string relay = world.Allocate();
  CHECK(world.alice.Permit("9.9.9.9:1").code() == 0);
  CHECK(world.Accept(relay, "9.9.9.9:4711") == "p1");
  const auto bytes = world.TakeMessage(world.alice.address);
  REQUIRE(bytes);
  const Reply told(*bytes);
  CHECK(told.view().message_class() == Class::kIndication);
  CHECK(told.view().method() == Method::kConnectionAttempt);
  CHECK(told.XorAddress(AttributeType::kXorPeerAddress) == "9.9.9.9:4711");
  CHECK(told.Has(AttributeType::kConnectionId));
}

TEST_CASE("6062_5_3 a peer without permission is closed and counted") {
  TcpWorld world;
  const std::string relay = world.Allocate();
  CHECK(!world.Accept(relay, "9.9.9.9:4711"));
  CHECK(world.meters().Drops(world.SlotOf(relay), DropReason::kNoPermission) == 1);
  CHECK(world.alice.Permit("9.9.9.9:1").code() == 0);
  world.Advance(kPermissionLifetime);
  CHECK(!world.Accept(relay, "9.9.9.9:4711"));
  CHECK(world.meters().Drops(world.SlotOf(relay), DropReason::kNoPermission) == 2);
}

TEST_CASE("peers cannot take more connections than an allocation may have") {
  auto settings = CoreWorld::DefaultSettings();
  settings.options.max_peer_connections = 2;
  TcpWorld world(settings);
  const std::string relay = world.Allocate();
  CHECK(world.alice.Permit("9.9.9.9:1").code() == 0);
  for (const char* peer : {"9.9.9.9:1", "9.9.9.9:2"}) {
    CHECK(world.Accept(relay, peer));
    CHECK(world.TakeMessage(world.alice.address));
  }
  CHECK(!world.Accept(relay, "9.9.9.9:3"));
  CHECK(world.meters().Drops(world.SlotOf(relay), DropReason::kLimit) == 1);
}

TEST_CASE("6062_5_2 a connection that is not bound for 30 s is closed") {
  TcpWorld world;
  const std::string relay = world.Allocate();
  const uint32_t id = world.Connect("9.9.9.9:80", "p1");
  world.Advance(std::chrono::milliseconds(29'999));
  CHECK(world.TakeLog().empty());
  TestClient data = world.DataClient(world.alice, "7.7.7.7:1001");
  SUBCASE("nobody came") {
    world.Advance(std::chrono::milliseconds(1));
    CHECK(world.TakeLog() == Lines{"close p1"});
    data.nonce.clear();
    CHECK(data.Request(Method::kConnectionBind, ConnectionIs(id)).code() == 400);
  }
  SUBCASE("the client's end got lost on its way") {
    CHECK(data.Request(Method::kConnectionBind, ConnectionIs(id)).code() == 0);
    CHECK(world.TakeLog() == Lines{"bind p1 to link 2001 of core 0"});
    world.Advance(std::chrono::milliseconds(1));
    CHECK(world.TakeLog() == Lines{"close p1"});
    CHECK(!world.server().OnHandedOver(world.StreamOf("p1"), world.now()));
  }
  const auto& events = world.server().stats().peer_connection_events;
  CHECK(events[size_t(PeerConnectionEvent::kNotBound)].Get() == 1);
}

TEST_CASE("a token that has expired since still binds: the allocation's keys count") {
  auto settings = CoreWorld::DefaultSettings();
  settings.secrets = {"north"};
  TcpWorld world(settings);
  const auto expiry =
      std::chrono::floor<std::chrono::seconds>(world.now().wall) + std::chrono::seconds(60);
  const std::string name = std::to_string(expiry.time_since_epoch().count()) + ":acme";
  TestClient carol(world, "7.7.7.7:5", name, TimeLimitedPassword("north", name), Transport::kTcp);
  CHECK(carol.Request(Method::kAllocate, RequestedTcp).code() == 0);
  CHECK(carol.Permit("9.9.9.9:1").code() == 0);
  world.Advance(std::chrono::seconds(120));
  CHECK(world.Accept("r1", "9.9.9.9:1"));
  const Reply told = world.TakeReply(carol);
  TestClient data = world.DataClient(carol, "7.7.7.7:6");
  const uint32_t id = told.U32(AttributeType::kConnectionId);
  CHECK(data.Request(Method::kConnectionBind, ConnectionIs(id)).code() == 0);
  CHECK(world.TakeLog() == Lines{"open r1 5.5.5.5 tcp slot", "bind p1 to link 1006 of core 0"});
}

TEST_CASE("another worker's client can bind: it is told who owns the connection") {
  TcpWorld world;
  world.Allocate();
  const uint32_t id = world.Connect("9.9.9.9:80", "p1");
  // A second core with the same directory and nonce secret would be the other worker; here the
  // directory alone is asked, as that core would.
  const auto offer = world.directory().FindOffer(ConnectionId(id));
  REQUIRE(offer);
  CHECK(offer->owner == world.server().core_id());
  CHECK(offer->stream == world.StreamOf("p1"));
  CHECK(offer->username == "alice");
  CHECK(offer->control == world.alice.address.five_tuple);
}

TEST_CASE("bytes of a data connection are billed as they are, one packet for each write") {
  TcpWorld world;
  const std::string relay = world.Allocate();
  const uint32_t id = world.Connect("9.9.9.9:80", "p1");
  TestClient data = world.DataClient(world.alice, "7.7.7.7:1001");
  CHECK(data.Request(Method::kConnectionBind, ConnectionIs(id)).code() == 0);
  CHECK(world.TakeLog().size() == 1);
  const PeerStreamId stream = world.StreamOf("p1");
  REQUIRE(world.server().OnHandedOver(stream, world.now()));
  world.server().OnSpliced(stream, Direction::kClientToPeer, 70'000, world.now());
  world.server().OnSpliced(stream, Direction::kPeerToClient, 1, world.now());
  world.server().OnSpliced(stream, Direction::kPeerToClient, 2, world.now());
  const UsageTotals totals = world.meters().Totals(world.SlotOf(relay));
  CHECK(totals.payload_bytes == std::array<uint64_t, 2>{70'000, 3});
  CHECK(totals.wire_bytes == std::array<uint64_t, 2>{70'000, 3});
  CHECK(totals.packets == std::array<uint64_t, 2>{1, 2});
  CHECK(world.server().stats().relayed_bytes[1][0].Get() == 70'000);
  world.server().OnPeerStreamClosed(stream, world.now());
  // The place is free again.
  CHECK(world.StartConnect("9.9.9.9:80"));
  CHECK(world.TakeLog() == Lines{"connect p2 5.5.5.5 -> 9.9.9.9:80"});
  world.Connected("p2", false);
  CHECK(world.TakeReply(world.alice).code() == 447);
}

TEST_CASE("6062_5_5 after one side has closed, the other has 30 s from its last word") {
  TcpWorld world;
  world.Allocate();
  const uint32_t id = world.Connect("9.9.9.9:80", "p1");
  TestClient data = world.DataClient(world.alice, "7.7.7.7:1001");
  CHECK(data.Request(Method::kConnectionBind, ConnectionIs(id)).code() == 0);
  CHECK(world.TakeLog().size() == 1);
  const PeerStreamId stream = world.StreamOf("p1");
  REQUIRE(world.server().OnHandedOver(stream, world.now()));
  world.server().OnHalfClosed(stream, world.now());
  world.Advance(std::chrono::seconds(29));
  world.server().OnSpliced(stream, Direction::kPeerToClient, 5, world.now());
  world.Advance(std::chrono::milliseconds(29'999));
  CHECK(world.TakeLog().empty());
  world.Advance(std::chrono::milliseconds(1));
  CHECK(world.TakeLog() == Lines{"close p1"});
}

}  // namespace turnpike
