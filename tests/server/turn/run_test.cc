// What came in one run (UDP GRO) and goes the same way is looked at once, and counted in full.
#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {
namespace {

// Call is a client with a channel to a peer, over UDP, and what it costs.
struct Call {
  explicit Call(CoreWorld& in) : world(in), alice(in, "7.7.7.7:1000", "alice", "s3cret") {
    relay = alice.Allocate();
    slot = world.SlotOf(relay);
    CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  }

  // Up and Down hand in the first of `count` datagrams that are alike, and return its Forward.
  std::optional<Forward> Up(ByteSpan message) {
    return world.server().OnClientDatagram(alice.address, message, world.now());
  }
  std::optional<Forward> Down(RelayId id, ByteSpan payload) {
    return world.server().OnPeerDatagram(id, PeerAddress(*TransportAddress::Parse("9.9.9.9:9")),
                                         payload, world.now());
  }
  void Sent(const Forward& forward, SendResult result, uint32_t count) {
    world.server().OnSent(forward, result, world.now(), count);
  }
  UsageTotals Totals() { return world.meters().Totals(slot); }

  CoreWorld& world;
  TestClient alice;
  std::string relay;
  SlotId slot;
};

Bytes Times(const Bytes& datagram, int count) {
  Bytes run;
  for (int i = 0; i < count; ++i) run.insert(run.end(), datagram.begin(), datagram.end());
  return run;
}

const Bytes kMessage = {0x40, 0x00, 0x00, 0x05, 'h', 'e', 'l', 'l', 'o'};
const Bytes kOtherChannel = {0x40, 0x01, 0x00, 0x05, 'h', 'e', 'l', 'l', 'o'};
const Bytes kShorterInside = {0x40, 0x00, 0x00, 0x03, 'h', 'e', 'l', 'l', 'o'};

TEST_CASE("ChannelData of one channel and length goes as a run, up to what differs") {
  CoreWorld world;
  Call call(world);
  Bytes rest = Times(kMessage, 3);
  const auto forward = call.Up(kMessage);
  REQUIRE(forward);
  for (const Bytes& other : {kOtherChannel, kShorterInside}) {
    Bytes mixed = rest;
    mixed.insert(mixed.end(), other.begin(), other.end());
    mixed.insert(mixed.end(), kMessage.begin(), kMessage.end());
    CHECK(world.server().ExtendRun(*forward, kMessage, mixed) == 3);
  }
  rest.insert(rest.end(), kMessage.begin(), kMessage.end() - 1);  // the last one, which is shorter
  CHECK(world.server().ExtendRun(*forward, kMessage, rest) == 3);
  CHECK(world.server().ExtendRun(*forward, kMessage, {}) == 0);
  // Ten datagrams: seven leave, three find the buffer full.
  call.Sent(*forward, {}, 7);
  call.Sent(*forward, std::unexpected(DropReason::kWouldBlock), 3);
  CHECK(call.Totals().payload_bytes[0] == 7 * 5);
  CHECK(call.Totals().wire_bytes[0] == 7 * 9);
  CHECK(call.Totals().packets[0] == 7);
  CHECK(world.meters().Drops(call.slot, DropReason::kWouldBlock) == 3);
  const auto& stats = world.server().stats();
  CHECK(stats.relayed_packets[static_cast<size_t>(Transport::kUdp)][0].Get() == 7);
  CHECK(stats.relayed_bytes[static_cast<size_t>(Transport::kUdp)][0].Get() == 7 * 5);
}

TEST_CASE("what a peer sends on a channel goes as a run; Send and Data indications go one by one") {
  CoreWorld world;
  Call call(world);
  const Bytes payload(100, 0x80);
  const auto up = call.Up(kMessage);
  REQUIRE(up);
  call.Sent(*up, {}, 1);
  const auto down = call.Down(up->relay, payload);
  REQUIRE(down);
  CHECK(world.server().ExtendRun(*down, payload, Times(payload, 5)) == 5);
  call.Sent(*down, {}, 6);
  CHECK(call.Totals().payload_bytes[1] == 600);
  CHECK(call.Totals().wire_bytes[1] == 624);
  CHECK(call.Totals().packets[1] == 6);

  TestClient bob(world, "8.8.8.8:1000", "bob", "hunter2");
  bob.Allocate();
  REQUIRE(bob.Permit("9.9.9.9:9").code() == 0);
  const Bytes indication = bob.BuildPlain(
      stun::Class::kIndication, stun::Method::kSend, [](stun::MessageBuilder& builder) {
        builder.AddXorAddress(stun::AttributeType::kXorPeerAddress,
                              *TransportAddress::Parse("9.9.9.9:9"));
        builder.AddBytes(stun::AttributeType::kData, Bytes{'x', 'x', 'x', 'x'});
      });
  const auto sent = world.server().OnClientDatagram(bob.address, indication, world.now());
  REQUIRE(sent);
  CHECK(world.server().ExtendRun(*sent, indication, Times(indication, 2)) == 0);
  call.Sent(*sent, {}, 1);
  const auto data = call.Down(sent->relay, payload);
  REQUIRE(data);
  CHECK(world.server().ExtendRun(*data, payload, Times(payload, 2)) == 0);
  call.Sent(*data, {}, 1);
}

TEST_CASE("limits and loops are looked for in every datagram of a run") {
  CoreWorld::Settings settings = CoreWorld::DefaultSettings();
  settings.options.max_unanswered_bytes = 1000;
  settings.options.max_nesting = 2;
  CoreWorld world(settings);
  Call call(world);
  const auto up = call.Up(kMessage);
  REQUIRE(up);
  call.Sent(*up, {}, 1);
  const Bytes payload(100, 0x80);
  const auto down = call.Down(up->relay, payload);
  REQUIRE(down);
  CHECK(world.server().ExtendRun(*down, payload, Times(payload, 20)) == 9);
  call.Sent(*down, {}, 10);
  CHECK(!call.Down(up->relay, payload));
  CHECK(call.Totals().payload_bytes[1] == 1000);

  CHECK(call.Up(kMessage));  // it speaks again
  call.Sent(*up, {}, 1);
  // Two headers deep, and as long as the harmless one before it.
  const Bytes nested = {0x40, 0, 0, 8, 0x40, 0, 0, 4, 'l', 'o', 'o', 'p'};
  const Bytes harmless(nested.size(), 'x');
  const auto first = call.Down(up->relay, harmless);
  REQUIRE(first);
  CHECK(world.server().ExtendRun(*first, harmless, nested) == 0);
  call.Sent(*first, {}, 1);
  CHECK(!call.Down(up->relay, nested));

  world.options().limits.session_packets = 5;
  world.Reload();
  const auto limited = call.Up(kMessage);
  REQUIRE(limited);
  CHECK(world.server().ExtendRun(*limited, kMessage, Times(kMessage, 2)) == 0);
  call.Sent(*limited, {}, 1);
}

TEST_CASE("an allocation that ends waits for every datagram of a run") {
  CoreWorld world;
  Call call(world);
  const auto forward = call.Up(kMessage);
  REQUIRE(forward);
  REQUIRE(world.server().ExtendRun(*forward, kMessage, Times(kMessage, 2)) == 2);
  world.server().CloseAll(CloseReason::kDrained, world.now());
  world.Poll();
  const auto closed = [&] {
    world.Poll();
    for (const std::string& line : world.TakeLog()) {
      if (line.starts_with("closed ")) return true;
    }
    return false;
  };
  CHECK(!closed());
  call.Sent(*forward, {}, 2);
  CHECK(!closed());
  call.Sent(*forward, {}, 1);
  CHECK(closed());
  CHECK(call.Totals().payload_bytes[0] == 15);
}

}  // namespace
}  // namespace turnpike
