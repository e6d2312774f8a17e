#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Class;
using stun::Method;

namespace {

TestClient::Fill FamilyIs(AttributeType type, uint8_t family) {
  return [=](stun::MessageBuilder& builder) { builder.AddU32(type, uint32_t{family} << 24); };
}

TestClient::Fill EvenPort(bool reserve) {
  return [=](stun::MessageBuilder& builder) {
    const std::array<uint8_t, 1> value = {static_cast<uint8_t>(reserve ? 0x80 : 0)};
    builder.AddBytes(AttributeType::kEvenPort, value);
  };
}

TestClient::Fill Token(const std::string& token) {
  return [=](stun::MessageBuilder& builder) {
    builder.AddText(AttributeType::kReservationToken, token);
  };
}

TestClient::Fill Both(TestClient::Fill a, TestClient::Fill b) {
  return [=](stun::MessageBuilder& builder) {
    a(builder);
    b(builder);
  };
}

uint16_t PortOf(const Reply& reply) {
  return Address(reply.XorAddress(AttributeType::kXorRelayedAddress)).port;
}

}  // namespace

TEST_CASE("8656_7_2 success: attributes in the order that all clients know") {
  CoreWorld world;
  world.options().software = "Turnpike";
  world.Reload();
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.fingerprint = true;
  const Reply reply = alice.Request(Method::kAllocate, RequestedUdp);
  CHECK(reply.code() == 0);
  CHECK(reply.types() == std::vector{AttributeType::kXorRelayedAddress,
                                     AttributeType::kXorMappedAddress, AttributeType::kLifetime,
                                     AttributeType::kSoftware, AttributeType::kMessageIntegrity,
                                     AttributeType::kFingerprint});
  CHECK(world.TakeLog() == Lines{"open r1 5.5.5.5 slot"});
  CHECK(reply.XorAddress(AttributeType::kXorRelayedAddress) == world.BindOf("r1").ToString());
  CHECK(reply.XorAddress(AttributeType::kXorMappedAddress) == "7.7.7.7:1000");
  CHECK(reply.U32(AttributeType::kLifetime) == 600);
  const SessionInfo& session = world.SessionOf("r1");
  CHECK(session.account == "acme");
  CHECK(session.label == "web");
  CHECK(session.username == "alice");
  CHECK(session.client == Address("7.7.7.7:1000"));
  CHECK(session.relayed == world.BindOf("r1"));
  CHECK(session.started_at == world.now().wall);
  CHECK((session.id[6] & 0xF0) == 0x70);
  CHECK(world.server().stats().allocations[0][0].Get() == 1);
  CHECK(world.server().stats().allocations_created.Get() == 1);
}

TEST_CASE("8656_7_2_step2 a live 5-tuple is 437 for another transaction id") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  CHECK(alice.Request(Method::kAllocate, RequestedUdp).code() == 437);
  CHECK(world.server().stats().allocation_errors[137].Get() == 1);
}

TEST_CASE("8656_7_2_note a retransmitted Allocate gets the same bytes and creates nothing") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Challenge();
  for (const bool reserve : {false, true}) {
    CAPTURE(reserve);
    const Bytes request =
        alice.Build(Method::kAllocate, UdpAnd(reserve ? EvenPort(true) : nullptr), alice.NewId());
    const auto first = alice.Exchange(request);
    REQUIRE(first);
    REQUIRE(first->code() == 0);
    CHECK(world.TakeLog().size() == 1);
    const uint32_t ports = world.directory().ports_in_use();
    for (const int seconds : {0, 1, 39}) {
      world.Advance(std::chrono::seconds(seconds));
      const auto again = alice.Exchange(request);
      REQUIRE(again);
      CHECK(again->bytes() == first->bytes());
    }
    CHECK(world.directory().ports_in_use() == (reserve ? ports - 1 : ports));  // it expired
    CHECK(world.server().allocation_count() == 1);
    CHECK(world.server().stats().allocations_created.Get() == (reserve ? 2 : 1));
    CHECK(alice.Refresh(0).code() == 0);
    CHECK(world.TakeLog().size() == 2);
  }
}

TEST_CASE("8656_7_2_note a retransmission while the relay is being opened is ignored") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Challenge();
  world.hold_opens = true;
  const Bytes request = alice.Build(Method::kAllocate, RequestedUdp, alice.NewId());
  CHECK(!alice.Exchange(request));
  CHECK(!alice.Exchange(request));
  CHECK(alice.Request(Method::kAllocate, RequestedUdp).code() == 437);
  CHECK(alice.Refresh(600).code() == 437);
  CHECK(!alice.SendChannel(0x4000, "early"));
  world.AnswerHeldOpens();
  const auto answer = world.TakeMessage(alice.address);
  REQUIRE(answer);
  CHECK(Reply(*answer).code() == 0);
  CHECK(world.TakeLog() == Lines{"open r1 5.5.5.5 slot"});
}

TEST_CASE("8656_7_2_step3 REQUESTED-TRANSPORT missing or malformed is 400, another one 442") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  CHECK(alice.Request(Method::kAllocate).code() == 400);
  CHECK(alice
            .Request(Method::kAllocate,
                     [](stun::MessageBuilder& builder) {
                       builder.AddText(AttributeType::kRequestedTransport, "\x11");
                     })
            .code() == 400);
  for (const uint32_t protocol : {0u, 5u, 7u, 16u, 18u, 255u}) {
    CHECK(alice
              .Request(Method::kAllocate,
                       [&](stun::MessageBuilder& builder) {
                         builder.AddU32(AttributeType::kRequestedTransport, protocol << 24);
                       })
              .code() == 442);
  }
}

TEST_CASE("8656_7_2_step4 DONT-FRAGMENT is supported") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate(
      [](stun::MessageBuilder& builder) { builder.AddFlag(AttributeType::kDontFragment); });
}

TEST_CASE("8656_7_2_step5 a token with EVEN-PORT or a family is 400") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const auto token = Token("12345678");
  for (const auto& other :
       {EvenPort(false), EvenPort(true), FamilyIs(AttributeType::kRequestedAddressFamily, 1),
        FamilyIs(AttributeType::kAdditionalAddressFamily, 2)}) {
    CHECK(alice.Request(Method::kAllocate, UdpAnd(Both(token, other))).code() == 400);
  }
}

TEST_CASE("8656_7_2_step5 an unknown token is 508, one of a wrong length 400") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  CHECK(alice.Request(Method::kAllocate, UdpAnd(Token("12345678"))).code() == 508);
  CHECK(alice.Request(Method::kAllocate, UdpAnd(Token("1234567"))).code() == 400);
}

TEST_CASE("8656_7_2_step6 both family attributes are 400") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  CHECK(alice
            .Request(Method::kAllocate,
                     UdpAnd(Both(FamilyIs(AttributeType::kRequestedAddressFamily, 2),
                                 FamilyIs(AttributeType::kAdditionalAddressFamily, 2))))
            .code() == 400);
}

TEST_CASE("8656_7_2_step7 a family that is not supported is 440") {
  auto settings = CoreWorld::DefaultSettings();
  settings.relay_addresses = {"5.5.5.5"};
  CoreWorld world(settings);
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  CHECK(
      alice.Request(Method::kAllocate, UdpAnd(FamilyIs(AttributeType::kRequestedAddressFamily, 2)))
          .code() == 440);
  CHECK(
      alice.Request(Method::kAllocate, UdpAnd(FamilyIs(AttributeType::kRequestedAddressFamily, 3)))
          .code() == 440);
  settings.relay_addresses = {"2600::5"};
  CoreWorld only_v6(settings);
  TestClient bob(only_v6, "7.7.7.7:1000", "bob", "hunter2");
  CHECK(bob.Request(Method::kAllocate, RequestedUdp).code() == 440);
  bob.Allocate(FamilyIs(AttributeType::kRequestedAddressFamily, 2));
}

TEST_CASE("8656_7_2_step7 IPv6 on request, IPv4 otherwise, whatever the client's own family") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string v6 = alice.Allocate(FamilyIs(AttributeType::kRequestedAddressFamily, 2));
  CHECK(world.BindOf(v6).ip == Ip("2600::5"));
  TestClient bob(world, "[2a00::7]:1000", "bob", "hunter2");
  const std::string v4 = bob.Allocate();
  CHECK(world.BindOf(v4).ip == Ip("5.5.5.5"));
  CHECK(world.server().stats().allocations[0][0].Get() == 1);
  CHECK(world.server().stats().allocations[0][1].Get() == 1);
}

TEST_CASE("8656_7_2_step8 EVEN-PORT") {
  CoreWorld world;
  for (uint16_t port = 1000; port < 1040; ++port) {
    TestClient alice(world, "7.7.7.7:" + std::to_string(port), "alice", "s3cret");
    const Reply reply = alice.Request(Method::kAllocate, UdpAnd(EvenPort(false)));
    CHECK(reply.code() == 0);
    CHECK(PortOf(reply) % 2 == 0);
    CHECK(!reply.Has(AttributeType::kReservationToken));
  }
  CHECK(world.TakeLog().size() == 40);
  TestClient alice(world, "7.7.7.7:2000", "alice", "s3cret");
  CHECK(alice
            .Request(
                Method::kAllocate,
                UdpAnd(Both(EvenPort(true), FamilyIs(AttributeType::kAdditionalAddressFamily, 2))))
            .code() == 400);
}

TEST_CASE("8656_7_2_step8 the R bit reserves the next port for a token of the same user") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const Reply first = alice.Request(Method::kAllocate, UdpAnd(EvenPort(true)));
  CHECK(first.types() == std::vector{AttributeType::kXorRelayedAddress,
                                     AttributeType::kXorMappedAddress, AttributeType::kLifetime,
                                     AttributeType::kReservationToken,
                                     AttributeType::kMessageIntegrity});
  const std::string token = first.Text(AttributeType::kReservationToken);
  CHECK(world.directory().ports_in_use() == 2);
  CHECK(world.directory().reservations() == 1);

  TestClient bob(world, "7.7.7.7:2000", "bob", "hunter2");
  CHECK(bob.Request(Method::kAllocate, UdpAnd(Token(token))).code() == 508);
  TestClient again(world, "7.7.7.7:1001", "alice", "s3cret");
  const Reply second = again.Request(Method::kAllocate, UdpAnd(Token(token)));
  CHECK(second.code() == 0);
  CHECK(PortOf(second) == PortOf(first) + 1);
  CHECK(world.directory().ports_in_use() == 2);
  CHECK(world.directory().reservations() == 0);
  TestClient twice(world, "7.7.7.7:1002", "alice", "s3cret");
  CHECK(twice.Request(Method::kAllocate, UdpAnd(Token(token))).code() == 508);
  CHECK(world.TakeLog() == Lines{"open r1 5.5.5.5 slot", "open r2 5.5.5.5 slot"});
}

TEST_CASE("8656_7_2 a reservation that nobody redeems is given back after 30 s") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const Reply first = alice.Request(Method::kAllocate, UdpAnd(EvenPort(true)));
  world.Advance(std::chrono::seconds(29));
  CHECK(world.directory().ports_in_use() == 2);
  world.Advance(std::chrono::seconds(1));
  CHECK(world.directory().ports_in_use() == 1);
  TestClient again(world, "7.7.7.7:1001", "alice", "s3cret");
  CHECK(
      again.Request(Method::kAllocate, UdpAnd(Token(first.Text(AttributeType::kReservationToken))))
          .code() == 508);
  CHECK(world.TakeLog().size() == 1);
}

TEST_CASE("8656_7_2_step9 ADDITIONAL-ADDRESS-FAMILY of IPv4 or of nothing is 400") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  for (const uint8_t family : std::array<uint8_t, 3>{0, 1, 3}) {
    CHECK(alice
              .Request(Method::kAllocate,
                       UdpAnd(FamilyIs(AttributeType::kAdditionalAddressFamily, family)))
              .code() == 400);
  }
}

TEST_CASE("8656_7_2_step10 the quota of a username is 486, and what ends frees it") {
  CoreWorld world;
  world.options().limits.allocations_per_username = 2;
  world.Reload();
  TestClient first(world, "7.7.7.7:1000", "alice", "s3cret");
  TestClient second(world, "7.7.7.7:1001", "alice", "s3cret");
  TestClient third(world, "7.7.7.7:1002", "alice", "s3cret");
  TestClient bob(world, "7.7.7.7:1003", "bob", "hunter2");
  first.Allocate();
  second.Allocate();
  CHECK(third.Request(Method::kAllocate, RequestedUdp).code() == 486);
  bob.Allocate();
  CHECK(first.Refresh(0).code() == 0);
  CHECK(world.TakeLog().size() == 2);
  third.Allocate();
}

TEST_CASE("8656_7_2_step10 a cap that is reached is 486 for its account or label alone") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  TestClient bob(world, "7.7.7.7:1001", "bob", "hunter2");
  const std::string account = "acme";
  world.directory().SetCapped({{account, "another label"}, {"another", std::nullopt}});
  alice.Allocate();
  CHECK(alice.Refresh(0).code() == 0);
  world.TakeLog();
  const std::string label = world.SessionOf("r1").label;
  for (const std::optional<std::string>& held :
       {std::optional(label), std::optional<std::string>()}) {
    world.directory().SetCapped({{account, held}});
    CHECK(alice.Request(Method::kAllocate, RequestedUdp).code() == 486);
  }
  bob.Allocate();
  world.directory().SetCapped({});
  world.TakeLog();
  alice.Allocate();
}

TEST_CASE("8656_7_2 lifetime: the default, unless more is asked for, up to the maximum") {
  CoreWorld world;
  uint16_t port = 1000;
  for (const auto& [asked, granted] :
       std::initializer_list<std::pair<uint32_t, uint32_t>>{{0, 600},
                                                            {1, 600},
                                                            {600, 600},
                                                            {601, 601},
                                                            {3600, 3600},
                                                            {3601, 3600},
                                                            {UINT32_MAX, 3600}}) {
    TestClient alice(world, "7.7.7.7:" + std::to_string(++port), "alice", "s3cret");
    const Reply reply = alice.Request(Method::kAllocate, UdpAnd([&](stun::MessageBuilder& builder) {
                                        builder.AddU32(AttributeType::kLifetime, asked);
                                      }));
    CHECK(reply.U32(AttributeType::kLifetime) == granted);
  }
  world.TakeLog();
  TestClient alice(world, "7.7.7.7:2000", "alice", "s3cret");
  CHECK(alice
            .Request(Method::kAllocate, UdpAnd([](stun::MessageBuilder& builder) {
                       builder.AddText(AttributeType::kLifetime, "12");
                     }))
            .code() == 400);
}

TEST_CASE("no port left: 508, and again a port when one is free") {
  auto settings = CoreWorld::DefaultSettings();
  settings.min_port = settings.max_port = 50000;
  CoreWorld world(settings);
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  TestClient bob(world, "7.7.7.7:1001", "bob", "hunter2");
  alice.Allocate();
  CHECK(bob.Request(Method::kAllocate, RequestedUdp).code() == 508);
  CHECK(bob.Request(Method::kAllocate, UdpAnd(EvenPort(true))).code() == 508);
  CHECK(alice.Refresh(0).code() == 0);
  world.TakeLog();
  bob.Allocate();
}

TEST_CASE("a full or draining core: 508, and its allocations live on") {
  CoreWorld world;
  world.options().limits.allocations = 1;
  world.Reload();
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  TestClient bob(world, "7.7.7.7:1001", "bob", "hunter2");
  alice.Allocate();
  CHECK(bob.Request(Method::kAllocate, RequestedUdp).code() == 508);
  world.options().limits.allocations = 0;
  world.Reload();
  world.server().Drain(world.now());
  CHECK(bob.Request(Method::kAllocate, RequestedUdp).code() == 508);
  CHECK(alice.Refresh(600).code() == 0);
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  CHECK(alice.SendChannel(0x4000, "still here"));
}

}  // namespace turnpike
