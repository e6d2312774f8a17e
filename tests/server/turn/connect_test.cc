// TCP allocations (RFC 6062): Allocate, Connect, and how their connections end with them.
#include <doctest/doctest.h>

#include "tests/server/turn/tcp_world.h"

namespace turnpike {

using stun::AttributeType;
using stun::Class;
using stun::Method;

TEST_CASE("6062_5_1 an allocation for TCP listens, and answers as one for UDP") {
  TcpWorld world;
  const Reply reply = world.alice.Request(Method::kAllocate, RequestedTcp);
  CHECK(reply.code() == 0);
  CHECK(reply.XorAddress(AttributeType::kXorRelayedAddress).starts_with("5.5.5.5:"));
  CHECK(world.TakeLog() == Lines{"open r1 5.5.5.5 tcp slot"});
  CHECK(world.server().stats().allocations[1][0].Get() == 1);
}

TEST_CASE("6062_5_1 over UDP, or with EVEN-PORT, DONT-FRAGMENT or RESERVATION-TOKEN: 400") {
  TcpWorld world;
  TestClient over_udp(world, "7.7.7.7:1", "alice", "s3cret");
  CHECK(over_udp.Request(Method::kAllocate, RequestedTcp).code() == 400);
  TestClient over_tls(world, "7.7.7.7:2", "bob", "hunter2", Transport::kTls);
  CHECK(over_tls.Request(Method::kAllocate, RequestedTcp).code() == 0);
  const std::array<TestClient::Fill, 3> forbidden = {
      [](stun::MessageBuilder& b) { b.AddBytes(AttributeType::kEvenPort, Bytes{0}); },
      [](stun::MessageBuilder& b) { b.AddFlag(AttributeType::kDontFragment); },
      [](stun::MessageBuilder& b) { b.AddBytes(AttributeType::kReservationToken, Bytes(8)); }};
  for (const auto& more : forbidden) {
    const Reply reply = world.alice.Request(Method::kAllocate, [&](stun::MessageBuilder& builder) {
      RequestedTcp(builder);
      more(builder);
    });
    CHECK(reply.code() == 400);
  }
  CHECK(world.TakeLog() == Lines{"open r1 5.5.5.5 tcp slot"});
}

TEST_CASE("6062_5_1 where no TCP is relayed: 442") {
  auto settings = CoreWorld::DefaultSettings();
  settings.options.max_peer_connections = 0;
  TcpWorld world(settings);
  CHECK(world.alice.Request(Method::kAllocate, RequestedTcp).code() == 442);
}

TEST_CASE("6062 a TCP allocation has no channels and no datagrams") {
  TcpWorld world;
  const std::string relay = world.Allocate();
  CHECK(world.alice.Permit("9.9.9.9:1").code() == 0);
  CHECK(world.alice.Bind(0x4000, "9.9.9.9:1").code() == 403);
  CHECK(!world.alice.Send("9.9.9.9:1", "x"));
  CHECK(!world.alice.SendChannel(0x4000, "x"));
  CHECK(world.server().stats().dropped_packets[size_t(DropReason::kNoAllocation)].Get() == 1);
}

TEST_CASE("6062_5_2 Connect: an id once the connection stands, and 446 for a second one") {
  TcpWorld world;
  world.Allocate();
  CHECK(world.StartConnect("9.9.9.9:80"));
  CHECK(world.TakeLog() == Lines{"connect p1 5.5.5.5 -> 9.9.9.9:80"});
  CHECK(world.alice.Request(Method::kConnect, PeerIs("9.9.9.9:80")).code() == 446);
  world.Connected("p1", true);
  const Reply reply = world.TakeReply(world.alice);
  CHECK(reply.code() == 0);
  CHECK(world.alice.Proves(reply));
  CHECK(reply.view().method() == Method::kConnect);
  CHECK(reply.types() ==
        std::vector{AttributeType::kConnectionId, AttributeType::kMessageIntegrity});
  CHECK(world.alice.Request(Method::kConnect, PeerIs("9.9.9.9:80")).code() == 446);
  // Another port is another connection.
  CHECK(world.StartConnect("9.9.9.9:81"));
  CHECK(world.TakeLog() == Lines{"connect p2 5.5.5.5 -> 9.9.9.9:81"});
  world.Connected("p2", false);
  CHECK(world.TakeReply(world.alice).code() == 447);
  CHECK(world.server().stats().peer_connections.Get() == 1);
}

TEST_CASE("6062_5_2 what Connect is refused for") {
  auto settings = CoreWorld::DefaultSettings();
  settings.options.max_peer_connections = 1;
  TcpWorld world(settings);
  TestClient bob(world, "7.7.7.7:9", "bob", "hunter2", Transport::kTcp);
  CHECK(bob.Request(Method::kConnect, PeerIs("9.9.9.9:80")).code() == 437);
  CHECK(!bob.Allocate().empty());  // for UDP
  CHECK(bob.Request(Method::kConnect, PeerIs("9.9.9.9:80")).code() == 403);

  const std::string relay = world.Allocate();
  CHECK(world.alice.Request(Method::kConnect).code() == 400);
  CHECK(world.alice.Request(Method::kConnect, PeerIs("9.9.9.9:0")).code() == 400);
  CHECK(world.alice
            .Request(Method::kConnect,
                     [](stun::MessageBuilder& builder) {
                       builder.AddText(AttributeType::kXorPeerAddress, "\x01\x01\x01\x01");
                     })
            .code() == 400);
  CHECK(world.alice.Request(Method::kConnect, PeerIs("[2a00::9]:80")).code() == 443);
  CHECK(world.alice.Request(Method::kConnect, PeerIs("169.254.169.254:80")).code() == 403);
  CHECK(world.alice.Request(Method::kConnect, PeerIs("5.5.5.1:3478")).code() == 403);
  // Itself.
  const std::string own = world.BindOf(relay).ToString();
  CHECK(world.alice.Request(Method::kConnect, PeerIs(own)).code() == 403);
  CHECK(world.StartConnect("9.9.9.9:80"));
  CHECK(world.alice.Request(Method::kConnect, PeerIs("9.9.9.9:81")).code() == 508);
  world.Connected("p1", false);
  CHECK(world.TakeReply(world.alice).code() == 447);
  CHECK(world.TakeLog() == Lines{"connect p1 5.5.5.5 -> 9.9.9.9:80"});
}

TEST_CASE("Connect and ConnectionBind are authenticated as every request is") {
  for (const Method method : {Method::kConnect, Method::kConnectionBind}) {
    TcpWorld world;
    world.Allocate();
    const uint32_t id = world.Connect("9.9.9.9:80", "p1");
    const auto fill = [&](stun::MessageBuilder& builder) {
      method == Method::kConnect ? PeerIs("9.9.9.9:81")(builder) : ConnectionIs(id)(builder);
    };
    const bool binds = method == Method::kConnectionBind;
    TestClient client = binds ? world.DataClient(world.alice, "7.7.7.7:1001") : world.alice;
    const auto plain = client.Exchange(client.BuildPlain(Class::kRequest, method, fill));
    REQUIRE(plain);
    CHECK(plain->code() == 401);
    const std::string good = client.nonce;
    client.nonce.back() = good.back() == 'A' ? 'B' : 'A';
    CHECK(client.Request(method, fill).code() == 438);
    client.nonce = good;
    const Reply unknown = client.Request(method, [&](stun::MessageBuilder& builder) {
      fill(builder);
      builder.AddU32(static_cast<AttributeType>(0x7F01), 0);
    });
    CHECK(unknown.code() == 420);
    CHECK(unknown.Text(AttributeType::kUnknownAttributes) == "\x7F\x01");
    client.password = "wrong";
    CHECK(client.Request(method, fill).code() == 401);
    if (!binds) {
      TestClient bob(world, "7.7.7.7:1000", "bob", "hunter2", Transport::kTcp);
      CHECK(bob.Request(method, fill).code() == 441);
    }
    CHECK(world.TakeLog().empty());
    CHECK(world.server().stats().peer_connections.Get() == 1);
  }
}

TEST_CASE("6062_5_2 a Connect that nobody answers for 30 s: 447") {
  TcpWorld world;
  world.Allocate();
  CHECK(world.StartConnect("9.9.9.9:80"));
  CHECK(world.TakeLog() == Lines{"connect p1 5.5.5.5 -> 9.9.9.9:80"});
  world.Advance(std::chrono::milliseconds(29'999));
  CHECK(world.TakeLog().empty());
  world.Advance(std::chrono::milliseconds(1));
  CHECK(world.TakeLog() == Lines{"close p1"});
  CHECK(world.TakeReply(world.alice).code() == 447);
  // The network's own answer comes too late, and is nothing.
  world.Connected("p1", true);
}

TEST_CASE("6062_5_2 behind a 1:1 NAT a peer's relayed address is reached by the bound one") {
  auto settings = CoreWorld::DefaultSettings();
  settings.relay_addresses = {"10.0.0.5=5.5.5.5"};
  TcpWorld world(settings);
  CHECK(world.alice.Request(Method::kAllocate, RequestedTcp).code() == 0);
  CHECK(world.TakeLog() == Lines{"open r1 10.0.0.5 tcp slot"});
  CHECK(world.StartConnect("5.5.5.5:50001"));
  CHECK(world.TakeLog() == Lines{"connect p1 10.0.0.5 -> 10.0.0.5:50001"});
  world.Connected("p1", false);
  CHECK(world.TakeReply(world.alice).code() == 447);
}

TEST_CASE("6062_5_4 ConnectionBind makes the connection the client's end, once") {
  TcpWorld world;
  world.Allocate();
  const uint32_t id = world.Connect("9.9.9.9:80", "p1");
  // It is proven with the nonce of the allocation's connection.
  TestClient data = world.DataClient(world.alice, "7.7.7.7:1001");
  const Reply reply = data.Request(Method::kConnectionBind, ConnectionIs(id));
  CHECK(reply.code() == 0);
  CHECK(reply.types() == std::vector{AttributeType::kMessageIntegrity});
  CHECK(world.TakeLog() == Lines{"bind p1 to link 2001 of core 0"});
  TestClient late = world.DataClient(world.alice, "7.7.7.7:1002");
  CHECK(late.Request(Method::kConnectionBind, ConnectionIs(id)).code() == 438);
  late.nonce.clear();
  CHECK(late.Request(Method::kConnectionBind, ConnectionIs(id)).code() == 400);
  CHECK(world.server().OnHandedOver(world.StreamOf("p1"), world.now()));
  // Nothing limits it now but the allocation.
  world.Advance(std::chrono::seconds(500));
  CHECK(world.TakeLog().empty());
  CHECK(world.server().stats().peer_connections.Get() == 1);
}

TEST_CASE("6062_5_4 what ConnectionBind is refused for") {
  TcpWorld world;
  world.Allocate();
  const uint32_t id = world.Connect("9.9.9.9:80", "p1");
  TestClient data = world.DataClient(world.alice, "7.7.7.7:1001");
  // With no id, or an unknown one, its nonce has to be its own.
  data.nonce.clear();
  CHECK(data.Request(Method::kConnectionBind).code() == 400);
  CHECK(data.Request(Method::kConnectionBind, ConnectionIs(id + 1)).code() == 400);
  CHECK(data.Request(Method::kConnectionBind,
                     [](stun::MessageBuilder& builder) {
                       builder.AddText(AttributeType::kConnectionId, "\x01\x02");
                     })
            .code() == 400);
  TestClient udp(world, "7.7.7.7:1001", "alice", "s3cret", Transport::kUdp);
  CHECK(udp.Request(Method::kConnectionBind, ConnectionIs(id)).code() == 400);
  CHECK(world.alice.Request(Method::kConnectionBind, ConnectionIs(id)).code() == 400);
  TestClient bob(world, "7.7.7.7:1003", "bob", "hunter2", Transport::kTcp);
  CHECK(bob.Request(Method::kConnectionBind, ConnectionIs(id)).code() == 441);
  TestClient eve(world, "7.7.7.7:1004", "alice", "guessed", Transport::kTcp);
  CHECK(eve.Request(Method::kConnectionBind, ConnectionIs(id)).code() == 401);
  // None of that used it up.
  CHECK(data.Request(Method::kConnectionBind, ConnectionIs(id)).code() == 0);
  CHECK(world.TakeLog() == Lines{"bind p1 to link 2001 of core 0"});
}

TEST_CASE("a peer filter that comes later ends connections to whom it denies") {
  TcpWorld world;
  world.Allocate();
  CHECK(world.StartConnect("9.9.9.9:80"));
  world.Connected("p1", true);
  CHECK(world.TakeReply(world.alice).code() == 0);
  CHECK(world.TakeLog() == Lines{"connect p1 5.5.5.5 -> 9.9.9.9:80"});
  world.settings().deny = {"9.9.9.0/24"};
  world.Reload();
  CHECK(world.TakeLog() == Lines{"close p1"});
}

TEST_CASE("6062_5_5 what ends an allocation ends its connections, and answers a Connect") {
  TcpWorld world;
  const std::string relay = world.Allocate();
  CHECK(world.alice.Permit("9.9.9.9:1").code() == 0);
  CHECK(world.Accept(relay, "9.9.9.9:4711"));
  CHECK(world.TakeMessage(world.alice.address));
  CHECK(world.StartConnect("9.9.9.9:80"));
  CHECK(world.TakeLog() == Lines{"connect p2 5.5.5.5 -> 9.9.9.9:80"});
  SUBCASE("a Refresh of 0") {
    world.FromClient(world.alice.address, world.alice.Build(
                                              Method::kRefresh,
                                              [](stun::MessageBuilder& builder) {
                                                builder.AddU32(AttributeType::kLifetime, 0);
                                              },
                                              world.alice.NewId()));
    CHECK(world.TakeReply(world.alice).code() == 0);
    CHECK(world.TakeLog() ==
          Lines{"close p1", "close p2", "close r1", "closed s0 refreshed_to_zero"});
  }
  SUBCASE("the end of the control connection") {
    world.server().OnLinkClosed(world.alice.address.link, world.now());
    world.Poll();
    CHECK(world.TakeLog() ==
          Lines{"close p1", "close p2", "close r1", "closed s0 transport_closed"});
  }
  CHECK(world.TakeReply(world.alice).code() == 447);
}

}  // namespace turnpike
