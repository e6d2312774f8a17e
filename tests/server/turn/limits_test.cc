// Limits as clients meet them: quotas refuse, rates drop what exceeds them and never bill it.
#include <doctest/doctest.h>

#include <string>

#include "tests/server/turn/tcp_world.h"

namespace turnpike {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using stun::Method;

uint64_t Limited(CoreWorld& world, Limit limit) {
  return world.server().stats().limited[static_cast<size_t>(limit)].Get();
}

void SetLimits(CoreWorld& world, const LimitOptions& limits) {
  world.options().limits = limits;
  world.Reload();
}

// Call is a client of a world with a channel to a peer.
struct Call {
  Call(CoreWorld& where, std::string_view address, std::string_view user, std::string_view password)
      : world(where), client(where, address, user, password), relay(client.Allocate()) {
    CHECK(client.Bind(0x4000, "9.9.9.9:9").code() == 0);
  }

  // SendEach and HearEach move `count` datagrams of `size` and return how many came through.
  int SendEach(int count, size_t size) {
    int relayed = 0;
    for (int i = 0; i < count; ++i) {
      if (client.SendChannel(0x4000, std::string(size, 'x'))) ++relayed;
    }
    return relayed;
  }
  int HearEach(int count, size_t size) {
    int relayed = 0;
    for (int i = 0; i < count; ++i) {
      if (world.FromPeer(relay, "9.9.9.9:9", Bytes(size, 'y'))) ++relayed;
    }
    return relayed;
  }

  UsageTotals Totals() { return world.meters().Totals(world.SlotOf(relay)); }
  uint64_t Drops() { return world.meters().Drops(world.SlotOf(relay), DropReason::kLimit); }

  CoreWorld& world;
  TestClient client;
  std::string relay;
};

TEST_CASE("8656_7_2_step10 a full account or address is 486, a full server is 508") {
  CoreWorld world;
  SetLimits(world, {.allocations_per_account = 1});
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  TestClient again(world, "7.7.7.8:1000", "alice", "s3cret");
  TestClient bob(world, "7.7.7.7:1001", "bob", "hunter2");
  alice.Allocate();
  CHECK(again.Request(Method::kAllocate, RequestedUdp).code() == 486);
  SetLimits(world, {.allocations_per_address = 1});
  CHECK(bob.Request(Method::kAllocate, RequestedUdp).code() == 486);
  SetLimits(world, {.allocations = 1});
  CHECK(bob.Request(Method::kAllocate, RequestedUdp).code() == 508);
  CHECK(alice.Refresh(600).code() == 0);
  CHECK(Limited(world, Limit::kAllocationsPerAccount) == 1);
  CHECK(Limited(world, Limit::kAllocationsPerAddress) == 1);
  CHECK(Limited(world, Limit::kAllocations) == 1);
  CHECK(alice.Refresh(0).code() == 0);
  world.TakeLog();
  bob.Allocate();
}

TEST_CASE("a session's bandwidth holds in each direction by itself, and the excess is not billed") {
  CoreWorld world;
  SetLimits(world, {.session_bandwidth = 100'000});
  Call call(world, "7.7.7.7:1000", "alice", "s3cret");
  CHECK(call.SendEach(120, 1000) == 100);
  CHECK(call.HearEach(130, 1000) == 100);
  CHECK(call.Totals().payload_bytes == std::array<uint64_t, 2>{100'000, 100'000});
  CHECK(call.Drops() == 50);
  CHECK(Limited(world, Limit::kSessionBandwidth) == 50);
  world.Advance(milliseconds(500));
  CHECK(call.SendEach(100, 1000) == 50);
  CHECK_MESSAGE(!call.client.Send("9.9.9.9:9", std::string(1000, 'x')), "Send counts too");
}

TEST_CASE("packets a second hold whatever their size") {
  CoreWorld world;
  SetLimits(world, {.session_packets = 50});
  Call call(world, "7.7.7.7:1000", "alice", "s3cret");
  CHECK(call.SendEach(60, 0) == 50);
  CHECK(call.HearEach(60, 1400) == 50);
  CHECK(Limited(world, Limit::kSessionPackets) == 20);
  world.Advance(milliseconds(100));
  CHECK(call.SendEach(10, 1) == 5);
}

TEST_CASE("an account's bandwidth is for all its sessions, and for nobody else's") {
  CoreWorld world;
  SetLimits(world, {.account_bandwidth = 100'000});
  Call first(world, "7.7.7.7:1000", "alice", "s3cret");
  Call second(world, "7.7.7.8:1000", "alice", "s3cret");
  Call other(world, "7.7.7.9:1000", "bob", "hunter2");
  CHECK(first.SendEach(60, 1000) + second.SendEach(60, 1000) == 100);
  CHECK(other.SendEach(120, 1000) == 100);
  CHECK(Limited(world, Limit::kAccountBandwidth) == 40);
  // A new session brings no new bucket.
  CHECK(first.client.Refresh(0).code() == 0);
  CHECK(second.client.Refresh(0).code() == 0);
  world.TakeLog();
  Call third(world, "7.7.7.7:1000", "alice", "s3cret");
  CHECK(third.SendEach(10, 1000) == 0);
}

TEST_CASE("what one limit holds back does not draw on another") {
  CoreWorld world;
  SetLimits(world, {.session_bandwidth = 100'000, .account_bandwidth = 200'000});
  Call first(world, "7.7.7.7:1000", "alice", "s3cret");
  Call second(world, "7.7.7.8:1000", "alice", "s3cret");
  CHECK(first.SendEach(1000, 1000) == 100);
  CHECK(second.SendEach(1000, 1000) == 100);
}

TEST_CASE("a reload limits sessions that live, and lets them go again") {
  CoreWorld world;
  Call call(world, "7.7.7.7:1000", "alice", "s3cret");
  CHECK(call.SendEach(200, 1000) == 200);
  SetLimits(world, {.session_bandwidth = 100'000});
  CHECK(call.SendEach(200, 1000) == 100);
  SetLimits(world, {});
  CHECK(call.SendEach(200, 1000) == 200);
}

TEST_CASE("the use of rates is measured: of the session and the account that move most") {
  CoreWorld world;
  SetLimits(world, {.session_bandwidth = 100'000, .account_bandwidth = 100'000});
  Call first(world, "7.7.7.7:1000", "alice", "s3cret");
  Call second(world, "7.7.7.8:1000", "alice", "s3cret");
  world.server().MeasureUse(world.now());
  CHECK(first.SendEach(30, 1000) == 30);
  CHECK(second.HearEach(20, 1000) == 20);
  CHECK(second.SendEach(20, 1000) == 20);
  world.Advance(seconds(2));
  world.server().MeasureUse(world.now());
  const TurnStats& stats = world.server().stats();
  CHECK(stats.fullest_session_bytes_per_second.Get() == 15'000);
  CHECK(stats.fullest_session_packets_per_second.Get() == 15);
  const auto account = [&] {
    return world.directory().quotas().Read()[static_cast<size_t>(Limit::kAccountBandwidth)];
  };
  CHECK(account().used == 25'000);
  CHECK(account().who == "acme");
  world.Advance(seconds(1));
  world.server().MeasureUse(world.now());
  CHECK(account().used == 0);
  CHECK(stats.fullest_session_bytes_per_second.Get() == 0);
}

TEST_CASE("6062 a stream above its rate is told when it may go on") {
  TcpWorld world;
  SetLimits(world, {.session_bandwidth = 100'000});
  world.Allocate();
  CHECK(world.alice.Permit("9.9.9.9:9").code() == 0);
  const uint32_t id = world.Connect("9.9.9.9:9", "p1");
  const PeerStreamId stream = world.StreamOf("p1");
  TestClient data = world.DataClient(world.alice, "7.7.7.7:1001");
  data.Request(Method::kConnectionBind, ConnectionIs(id));
  CHECK(world.server().OnHandedOver(stream, world.now()));
  const auto resume = [&](Direction direction, size_t bytes) {
    return world.server().OnSpliced(stream, direction, bytes, world.now()) - world.now().mono;
  };
  CHECK(resume(Direction::kClientToPeer, 60'000) == Duration(0));
  CHECK(resume(Direction::kClientToPeer, 60'000) > milliseconds(199));
  CHECK(resume(Direction::kClientToPeer, 10'000) < milliseconds(301));
  CHECK_MESSAGE(resume(Direction::kPeerToClient, 60'000) == Duration(0), "by itself");
  world.TakeLog();
}

}  // namespace
}  // namespace turnpike
