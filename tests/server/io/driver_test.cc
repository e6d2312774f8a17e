#include "server/io/driver.h"

#include <doctest/doctest.h>

#include "tests/server/io/io_world.h"

namespace turnpike {

TEST_CASE("a call over IPv4 and over IPv6: payload is echoed and counted to the byte") {
  for (const char* loopback : {"127.0.0.1:0", "[::1]:0"}) {
    CAPTURE(std::string(loopback));
    IoWorld world;
    const TransportAddress server = *world.driver.ListenUdp(Address(loopback));
    TestSocket peer(Address(loopback));
    TurnClientOptions options = Alice();
    if (!server.ip.is_v4()) options.requested_family = AddressFamily::kIpv6;
    LiveClient client(Address(loopback), server, options);
    REQUIRE(world.Allocate(client));
    const TransportAddress relayed = client.Find<Allocated>()->relayed.value();
    CHECK(relayed.ip == server.ip);
    REQUIRE(world.Bind(client, peer.address()));
    CHECK(world.slots->used() == 1);

    client.SendTo(peer.address(), "ping!");
    std::optional<TestSocket::Datagram> arrived;
    REQUIRE(world.Until([&] { return (arrived = peer.TryReceive()).has_value(); }));
    CHECK(arrived->bytes == "ping!");
    CHECK(arrived->from == relayed);
    peer.Send("pong", relayed);
    peer.Send("", relayed);
    REQUIRE(world.Until([&] {
      client.Pump();
      return client.received().size() == 2;
    }));
    CHECK(client.received()[0] == "pong");
    CHECK(client.received()[1].empty());

    const SlotSnapshot slot = world.slots->Read(world.slots->UsedSlots()[0]);
    CHECK(slot.totals.payload_bytes == std::array<uint64_t, 2>{5, 4});
    CHECK(slot.totals.packets == std::array<uint64_t, 2>{1, 2});
    CHECK(!slot.closed);
  }
}

TEST_CASE("8656_11_5_the_client_hears_that_a_peer_port_is_closed_and_is_not_billed_for_it") {
  IoWorld world;
  const TransportAddress server = *world.driver.ListenUdp(Address("127.0.0.1:0"));
  const TransportAddress closed = TestSocket(Address("127.0.0.1:0")).address();
  LiveClient client(Address("127.0.0.1:0"), server, Alice());
  REQUIRE(world.Allocate(client));
  REQUIRE(world.Bind(client, closed));
  client.SendTo(closed, "anybody?");
  std::optional<TestSocket::Datagram> told;
  REQUIRE(world.Until([&] { return (told = client.socket().TryReceive()).has_value(); }));
  const auto message = stun::MessageView::Parse(AsBytes(told->bytes));
  REQUIRE(message);
  CHECK(message->method() == stun::Method::kData);
  CHECK(stun::DecodeXorAddress(*message->Find(stun::AttributeType::kXorPeerAddress),
                               message->transaction_id()) == closed);
  CHECK(AsText(*message->Find(stun::AttributeType::kIcmp)) ==
        std::string_view("\x00\x00\x06\x03\x00\x00\x00\x00", 8));
  const SlotSnapshot slot = world.slots->Read(world.slots->UsedSlots()[0]);
  CHECK(slot.totals.payload_bytes == std::array<uint64_t, 2>{8, 0});
}

TEST_CASE("5780_6_1_change_request_is_answered_from_the_other_socket") {
  // Ports of their own, so that the core can be told of them before the driver listens.
  TurnOptions options = TestTurnOptions();
  const std::array<IpAddress, 2> ips = {Address("127.0.0.1:0").ip, Address("127.0.0.2:0").ip};
  std::array<uint16_t, 2> ports{};
  for (uint16_t& port : ports) port = TestSocket(Address("127.0.0.1:0")).address().port;
  options.nat_discovery = NatDiscovery{.addresses = ips, .ports = ports};
  IoWorld world(options);
  for (const IpAddress& ip : ips) {
    for (const uint16_t port : ports)
      REQUIRE(world.driver.ListenUdp(TransportAddress{ip, port}).has_value());
  }
  TestSocket client(Address("127.0.0.1:0"));
  std::array<uint8_t, 64> buffer;
  stun::MessageBuilder builder(buffer, stun::Class::kRequest, stun::Method::kBinding, {});
  builder.AddU32(stun::AttributeType::kChangeRequest, 6);
  client.Send(AsText(builder.FinishUnauthenticated(false)), {ips[0], ports[0]});
  std::optional<TestSocket::Datagram> answer;
  REQUIRE(world.Until([&] { return (answer = client.TryReceive()).has_value(); }));
  CHECK(answer->from == TransportAddress{ips[1], ports[1]});
}

TEST_CASE("a released allocation closes its socket and its slot") {
  IoWorld world;
  const TransportAddress server = *world.driver.ListenUdp(Address("127.0.0.1:0"));
  LiveClient client(Address("127.0.0.1:0"), server, Alice());
  REQUIRE(world.Allocate(client));
  const TransportAddress relayed = client.Find<Allocated>()->relayed.value();
  CHECK_FALSE(OpenUdpSocket(relayed, {}).has_value());
  client.turn().Release(LiveClient::Now());
  client.Pump();
  REQUIRE(world.Until([&] {
    client.Pump();
    return client.Find<Released>().has_value();
  }));
  CHECK(OpenUdpSocket(relayed, {}).has_value());
  const SlotSnapshot slot = world.slots->Read(world.slots->UsedSlots()[0]);
  CHECK(slot.closed);
  CHECK(slot.close_reason == CloseReason::kRefreshedToZero);
  CHECK(world.ports.ports_in_use() == 0);
}

TEST_CASE("an allocation that nobody refreshes ends by the driver's timer") {
  TurnOptions options = TestTurnOptions();
  options.default_lifetime = options.max_lifetime = std::chrono::seconds(1);
  IoWorld world(options);
  const TransportAddress server = *world.driver.ListenUdp(Address("127.0.0.1:0"));
  LiveClient client(Address("127.0.0.1:0"), server, Alice());
  REQUIRE(world.Allocate(client));
  REQUIRE(world.Until([&] { return world.core.allocation_count() == 0; }));
  const SlotSnapshot slot = world.slots->Read(world.slots->UsedSlots()[0]);
  CHECK(slot.closed);
  CHECK(slot.close_reason == CloseReason::kExpired);
}

TEST_CASE("a port that another program took becomes another port") {
  IoWorld world(TestTurnOptions(), 32000, 32001);
  TestSocket other(Address("127.0.0.1:32000"));
  const TransportAddress server = *world.driver.ListenUdp(Address("127.0.0.1:0"));
  LiveClient client(Address("127.0.0.1:0"), server, Alice());
  REQUIRE(world.Allocate(client));
  CHECK(client.Find<Allocated>()->relayed.value().port == 32001);
}

TEST_CASE("without a slot an allocation is refused with 508 rather than served unbilled") {
  IoWorld world;
  while (world.slots->Acquire(SessionInfo())) {
  }
  const TransportAddress server = *world.driver.ListenUdp(Address("127.0.0.1:0"));
  LiveClient client(Address("127.0.0.1:0"), server, Alice());
  client.turn().Allocate(LiveClient::Now());
  client.Pump();
  REQUIRE(world.Until([&] {
    client.Pump();
    return client.Find<Failed>().has_value();
  }));
  CHECK(client.Find<Failed>()->code == 508);
  CHECK(world.ports.ports_in_use() == 0);
}

TEST_CASE("closing everything sends what is in hand first, and closes the slots as drained") {
  IoWorld world;
  const TransportAddress server = *world.driver.ListenUdp(Address("127.0.0.1:0"));
  TestSocket peer(Address("127.0.0.1:0"));
  LiveClient client(Address("127.0.0.1:0"), server, Alice());
  REQUIRE(world.Allocate(client));
  REQUIRE(world.Bind(client, peer.address()));
  // Handed to the driver directly, so that the Forward still waits when CloseAll comes.
  const auto head = *client.turn().HeadFor(PeerAddress(peer.address()), 4);
  const std::string message = std::string(AsText(head.bytes())) + "last";
  world.driver.OnClientMessage({{client.socket().address(), server, Transport::kUdp}, LinkId(0)},
                               AsBytes(message));
  CHECK_FALSE(peer.TryReceive().has_value());
  world.driver.Drain();
  world.driver.CloseAll(CloseReason::kDrained);
  CHECK(peer.Receive().bytes == "last");
  const SlotSnapshot slot = world.slots->Read(world.slots->UsedSlots()[0]);
  CHECK(slot.closed);
  CHECK(slot.close_reason == CloseReason::kDrained);
  CHECK(slot.totals.payload_bytes == std::array<uint64_t, 2>{4, 0});
}

TEST_CASE("a flood larger than the buffers is relayed in order and reported in full") {
  IoWorld world;
  const TransportAddress server = *world.driver.ListenUdp(Address("127.0.0.1:0"));
  TestSocket peer(Address("127.0.0.1:0"));
  LiveClient client(Address("127.0.0.1:0"), server, Alice());
  REQUIRE(world.Allocate(client));
  REQUIRE(world.Bind(client, peer.address()));
  const int count = 3 * static_cast<int>(ReceiveBatch::kBuffers) + 1;
  for (int i = 0; i < count; ++i) client.SendTo(peer.address(), std::to_string(i));
  int next = 0;
  REQUIRE(world.Until([&] {
    while (const auto datagram = peer.TryReceive()) {
      CHECK(datagram->bytes == std::to_string(next));
      ++next;
    }
    return next == count;
  }));
  const SlotSnapshot slot = world.slots->Read(world.slots->UsedSlots()[0]);
  CHECK(slot.totals.packets[0] == static_cast<uint64_t>(count));
}

}  // namespace turnpike
