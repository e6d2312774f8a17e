#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Class;
using stun::Method;

namespace {

uint64_t Dropped(CoreWorld& world, DropReason reason) {
  return world.server().stats().dropped_packets[static_cast<size_t>(reason)].Get();
}

// CheckDrop runs `act`, which must relay nothing, and checks that it is counted once, for `reason`,
// in the totals and in the session.
template <typename Act>
void CheckDrop(CoreWorld& world, std::optional<SlotId> slot, DropReason reason, Act act) {
  const uint64_t before = Dropped(world, reason);
  const uint64_t session = slot ? world.meters().Drops(*slot, reason) : 0;
  CHECK(!act());
  CHECK(Dropped(world, reason) == before + 1);
  if (slot) CHECK(world.meters().Drops(*slot, reason) == session + 1);
}

}  // namespace

TEST_CASE("8656_12 first bytes that are neither STUN nor ChannelData are dropped and counted") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  for (const uint8_t first : std::array<uint8_t, 6>{0x04, 0x10, 0x14, 0x3F, 0x80, 0xFF}) {
    const Bytes bytes(32, first);
    CheckDrop(world, std::nullopt, DropReason::kMalformed,
              [&] { return world.FromClient(alice.address, bytes); });
  }
  CheckDrop(world, std::nullopt, DropReason::kMalformed,
            [&] { return world.FromClient(alice.address, {}); });
}

TEST_CASE("8656_5 application data without an allocation is ignored") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  CheckDrop(world, std::nullopt, DropReason::kNoAllocation,
            [&] { return alice.SendChannel(0x4000, "x"); });
  CheckDrop(world, std::nullopt, DropReason::kNoAllocation,
            [&] { return alice.Send("9.9.9.9:9", "x"); });
}

TEST_CASE("8656_12_6 ChannelData: too short, on no channel, empty, padded") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  const SlotId slot = world.SlotOf(relay);
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  for (const Bytes& broken : {Bytes{0x40}, Bytes{0x40, 0, 0}, Bytes{0x40, 0, 0, 2, 'x'}}) {
    CheckDrop(world, slot, DropReason::kMalformed,
              [&] { return world.FromClient(alice.address, broken); });
  }
  CheckDrop(world, slot, DropReason::kNoChannel, [&] { return alice.SendChannel(0x4001, "x"); });
  const auto empty = alice.SendChannel(0x4000, "");
  REQUIRE(empty);
  CHECK(empty->message.empty());
  CHECK(empty->wire_bytes == 4);
  const auto padded = world.FromClient(alice.address, Bytes{0x40, 0, 0, 1, 'x', 1, 2, 3});
  REQUIRE(padded);
  CHECK(padded->message == Bytes{'x'});
  CHECK(padded->wire_bytes == 8);
}

TEST_CASE("8656_11_3 a Data indication is what clients expect, byte by byte, padding zero") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  for (size_t size = 0; size < 9; ++size) {
    const Bytes payload(size, 0xEE);
    const auto relayed = world.FromPeer(relay, "9.9.9.9:1234", payload);
    REQUIRE(relayed);
    CHECK(relayed->to == "7.7.7.7:1000");
    CHECK(relayed->from == "5.5.5.1:3478");
    CHECK(relayed->wire_bytes == relayed->message.size());
    const auto message = stun::MessageView::Parse(relayed->message);
    REQUIRE(message);
    CHECK(message->message_class() == Class::kIndication);
    CHECK(message->method() == Method::kData);
    const auto peer = message->Find(AttributeType::kXorPeerAddress);
    CHECK(stun::DecodeXorAddress(*peer, message->transaction_id()) == Address("9.9.9.9:1234"));
    CHECK(std::ranges::equal(*message->Find(AttributeType::kData), payload));
    for (size_t i = 36 + size; i < relayed->message.size(); ++i) CHECK(relayed->message[i] == 0);
  }
}

TEST_CASE("8656_11_3 a Data indication with an IPv6 peer") {
  CoreWorld world;
  TestClient alice(world, "[2a00::7]:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate([](stun::MessageBuilder& builder) {
    builder.AddU32(AttributeType::kRequestedAddressFamily, 2u << 24);
  });
  CHECK(alice.Permit("[2a00::9]:9").code() == 0);
  std::optional<stun::TransactionId> last;
  for (int i = 0; i < 3; ++i) {
    const auto relayed = world.FromPeer(relay, "[2a00::9]:1234", AsBytes("xyz"));
    REQUIRE(relayed);
    CHECK(relayed->message.size() == Forward::kMaxHeaderSize + 4);
    const auto message = stun::MessageView::Parse(relayed->message);
    REQUIRE(message);
    CHECK(stun::DecodeXorAddress(*message->Find(AttributeType::kXorPeerAddress),
                                 message->transaction_id()) == Address("[2a00::9]:1234"));
    CHECK(last != message->transaction_id());
    last = message->transaction_id();
  }
}

TEST_CASE("8656_12_5 ChannelData is padded on streams, both ways, and only there") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret", Transport::kTcp);
  const std::string relay = alice.Allocate();
  CHECK(world.SessionOf(relay).transport == Transport::kTcp);
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  const auto back = world.FromPeer(relay, "9.9.9.9:9", AsBytes("x"));
  REQUIRE(back);
  CHECK(back->message == Bytes{0x40, 0, 0, 1, 'x', 0, 0, 0});
  CHECK(back->wire_bytes == 8);
  const auto there = alice.SendChannel(0x4000, "x");  // the framer has cut off the padding
  REQUIRE(there);
  CHECK(there->message == Bytes{'x'});
  CHECK(there->wire_bytes == 8);
}

TEST_CASE("8656_9 datagrams of peers without a permission are dropped and never billed") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  const SlotId slot = world.SlotOf(relay);
  CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  CheckDrop(world, slot, DropReason::kNoPermission,
            [&] { return world.FromPeer(relay, "9.9.9.8:9", AsBytes("flood")); });
  CHECK(world.meters().Totals(slot) == UsageTotals{});
}

TEST_CASE("a peer's datagram that fits no message is dropped as too large") {
  CoreWorld world;
  TestClient udp(world, "7.7.7.7:1000", "alice", "s3cret");
  TestClient tcp(world, "7.7.7.7:1001", "alice", "s3cret", Transport::kTcp);
  const std::string r1 = udp.Allocate();
  const std::string r2 = tcp.Allocate();
  CHECK(udp.Permit("9.9.9.9:9").code() == 0);
  CHECK(tcp.Permit("9.9.9.9:9").code() == 0);
  CHECK(tcp.Bind(0x4000, "9.9.9.9:10").code() == 0);
  CheckDrop(world, world.SlotOf(r1), DropReason::kTooLarge,
            [&] { return world.FromPeer(r1, "9.9.9.9:9", Bytes(65'472)); });
  CHECK(world.FromPeer(r1, "9.9.9.9:9", Bytes(65'468)));
  // On a stream only the 16 bits of the length count.
  CheckDrop(world, world.SlotOf(r2), DropReason::kTooLarge,
            [&] { return world.FromPeer(r2, "9.9.9.9:9", Bytes(65'517)); });
  CHECK(world.FromPeer(r2, "9.9.9.9:9", Bytes(65'516)));
  CHECK(world.FromPeer(r2, "9.9.9.9:10", Bytes(65'535)));
}

TEST_CASE("bytes count when the kernel took them, and drops by their reason when not") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  const SlotId slot = world.SlotOf(relay);
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  for (int i = 0; i < kDropReasonCount; ++i) {
    const auto reason = static_cast<DropReason>(i);
    world.send_result = std::unexpected(reason);
    CHECK(alice.SendChannel(0x4000, "lost"));
    CHECK(world.FromPeer(relay, "9.9.9.9:9", AsBytes("lost")));
    CHECK(world.meters().Drops(slot, reason) == 2);
    CHECK(Dropped(world, reason) == 2);
  }
  CHECK(world.meters().Totals(slot) == UsageTotals{});
  world.send_result = {};
  CHECK(alice.SendChannel(0x4000, "four"));
  CHECK(alice.Send("9.9.9.9:9", "seven!!"));  // 20 + 12 + 4 + 8
  CHECK(world.FromPeer(relay, "9.9.9.9:9", AsBytes("ab")));
  CHECK(world.meters().Totals(slot) ==
        UsageTotals{.payload_bytes = {11, 2}, .wire_bytes = {8 + 44, 6}, .packets = {2, 1}});
  const TurnStats& stats = world.server().stats();
  CHECK(stats.relayed_bytes[0][0].Get() == 11);
  CHECK(stats.relayed_bytes[0][1].Get() == 2);
  CHECK(stats.relayed_packets[0][0].Get() == 2);
  CHECK(stats.relayed_packets[0][1].Get() == 1);
}

TEST_CASE("a session counts beyond 4 GiB") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  const Bytes payload(60'000);
  const auto header = stun::ChannelDataHeader(stun::ChannelNumber(0x4000), 60'000);
  Bytes message(header.begin(), header.end());
  message.insert(message.end(), payload.begin(), payload.end());
  constexpr uint64_t kPackets = 80'000;  // 4.8 GB
  for (uint64_t i = 0; i < kPackets; ++i) {
    auto forward = world.server().OnClientDatagram(alice.address, message, world.now());
    if (!forward) FAIL("not relayed");
    world.server().OnSent(*forward, {}, world.now());
  }
  const UsageTotals totals = world.meters().Totals(world.SlotOf(relay));
  CHECK(totals.payload_bytes[0] == kPackets * 60'000);
  CHECK(totals.wire_bytes[0] == kPackets * 60'004);
  CHECK(totals.packets[0] == kPackets);
  CHECK(totals.payload_bytes[0] > uint64_t{UINT32_MAX});
}

TEST_CASE("bytes go to the bucket of their moment, also when the wall clock steps") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  LiveUsage& live = world.meters().live(world.SlotOf(relay));
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  const auto send = [&] {
    CHECK(alice.SendChannel(0x4000, "x"));
    return BucketIndex(live.bucket.load());
  };
  CHECK(send() == BucketOf(world.now().wall));
  world.StepWall(std::chrono::minutes(15));
  CHECK(send() == BucketOf(world.now().wall));
  CHECK(live.ring_head.load() == 2);
  world.StepWall(-std::chrono::hours(2));
  CHECK(send() == BucketOf(world.now().wall));
  world.StepWall(std::chrono::seconds(1));
  CHECK(send() == BucketOf(world.now().wall));
}

TEST_CASE("8656_11_2 Send: DONT-FRAGMENT, zero bytes, and what is discarded") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  const SlotId slot = world.SlotOf(relay);
  CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  CHECK(alice.Send("9.9.9.9:9", "x", true)->dont_fragment);
  CHECK(!alice.Send("9.9.9.9:9", "x", false)->dont_fragment);
  CHECK(alice.Send("9.9.9.9:9", "")->message.empty());
  CheckDrop(world, slot, DropReason::kNoPermission, [&] { return alice.Send("9.9.9.8:9", "x"); });
  CheckDrop(world, slot, DropReason::kNoPermission, [&] { return alice.Send("[2a00::9]:9", "x"); });
  CheckDrop(world, slot, DropReason::kMalformed, [&] { return alice.Send("9.9.9.9:0", "x"); });
  const auto send_with = [&](const TestClient::Fill& fill) {
    return world.FromClient(alice.address,
                            alice.BuildPlain(Class::kIndication, Method::kSend, fill));
  };
  const auto peer = [](stun::MessageBuilder& builder) {
    builder.AddXorAddress(AttributeType::kXorPeerAddress, Address("9.9.9.9:9"));
  };
  CheckDrop(world, slot, DropReason::kMalformed, [&] { return send_with(peer); });
  CheckDrop(world, slot, DropReason::kMalformed, [&] {
    return send_with([](stun::MessageBuilder& b) { b.AddText(AttributeType::kData, "x"); });
  });
  // RFC 8489 §6.3.2: unknown comprehension-required attributes.
  CheckDrop(world, slot, DropReason::kMalformed, [&] {
    return send_with([&](stun::MessageBuilder& b) {
      peer(b);
      b.AddText(AttributeType::kData, "x");
      b.AddU32(static_cast<AttributeType>(0x7F01), 0);
    });
  });
  CHECK(send_with([&](stun::MessageBuilder& b) {
    peer(b);
    b.AddText(AttributeType::kData, "x");
    b.AddU32(static_cast<AttributeType>(0xFF01), 0);
  }));
}

TEST_CASE("8656_11_2 Send asks the filter for each port, ChannelBind's permission or not") {
  auto settings = CoreWorld::DefaultSettings();
  settings.allow = {"127.0.0.0/8"};
  CoreWorld world(settings);
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  // The server's own relayed addresses are open, its listeners closed, on one IP.
  CHECK(alice.Permit("5.5.5.5:1").code() == 0);
  CHECK(alice.Send("5.5.5.5:50001", "x"));
  CHECK(alice.Send("5.5.5.5:50001", "x"));
  CheckDrop(world, world.SlotOf(relay), DropReason::kPeerDenied,
            [&] { return alice.Send("5.5.5.5:22", "x"); });
  CHECK(alice.Send("5.5.5.5:50001", "x"));
}

TEST_CASE("a reload that denies a peer cuts it off at once") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  CHECK(alice.Bind(0x4001, "9.9.8.8:9").code() == 0);
  world.settings().deny = {"9.9.9.0/24"};
  world.Reload();
  CHECK(!alice.SendChannel(0x4000, "x"));
  CHECK(!world.FromPeer(relay, "9.9.9.9:9", AsBytes("x")));
  CHECK(alice.SendChannel(0x4001, "x"));
}

TEST_CASE("an unknown relay yields nothing") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  CHECK(alice.Refresh(0).code() == 0);
  CHECK(world.TakeLog().size() == 2);
  CHECK(!world.FromPeer(relay, "9.9.9.9:9", AsBytes("x")));
}

TEST_CASE("1:1 NAT: advertised to clients and peers, bound on this host") {
  auto settings = CoreWorld::DefaultSettings();
  settings.relay_addresses = {"10.0.0.5=5.5.5.5"};
  CoreWorld world(settings);
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  TestClient bob(world, "7.7.7.8:1000", "bob", "hunter2");
  const Reply reply = alice.Request(Method::kAllocate, RequestedUdp);
  CHECK(world.TakeLog() == Lines{"open r1 10.0.0.5 slot"});
  const std::string to_alice = "5.5.5.5:" + std::to_string(world.BindOf("r1").port);
  CHECK(reply.XorAddress(AttributeType::kXorRelayedAddress) == to_alice);
  CHECK(world.SessionOf("r1").relayed == Address(to_alice));
  const std::string r2 = bob.Allocate();
  const std::string bob_bind = world.BindOf(r2).ToString();
  const std::string to_bob = "5.5.5.5:" + std::to_string(world.BindOf(r2).port);

  // Two clients of one relay: what goes to the advertised address is sent to the bound one ...
  CHECK(alice.Bind(0x4000, to_bob).code() == 0);
  CHECK(alice.SendChannel(0x4000, "hello")->to == bob_bind);
  CHECK(alice.Send(to_bob, "hello")->to == bob_bind);
  // ... and what comes from the bound address counts as from the advertised one.
  CHECK(world.FromPeer("r1", bob_bind, AsBytes("x"))->message == Bytes{0x40, 0, 0, 1, 'x'});
  CHECK(bob.Permit(to_alice).code() == 0);
  const auto data = world.FromPeer(r2, world.BindOf("r1").ToString(), AsBytes("x"));
  REQUIRE(data);
  const auto message = stun::MessageView::Parse(data->message);
  CHECK(stun::DecodeXorAddress(*message->Find(AttributeType::kXorPeerAddress),
                               message->transaction_id()) == Address(to_alice));
  // The bound address is no second name: a channel to it is the same channel.
  CHECK(alice.Bind(0x4001, bob_bind).code() == 400);
  CHECK(alice.Bind(0x4000, bob_bind).code() == 0);
}

}  // namespace turnpike
