#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Method;

namespace {

void Additional(stun::MessageBuilder& builder) {
  builder.AddU32(AttributeType::kAdditionalAddressFamily, 2u << 24);
}

std::vector<std::string> RelayedAddresses(const Reply& reply) {
  std::vector<std::string> addresses;
  reply.view().ForEach([&](const stun::Attribute& attribute) {
    if (attribute.type != AttributeType::kXorRelayedAddress) return;
    addresses.push_back(
        stun::DecodeXorAddress(attribute.value, reply.view().transaction_id())->ToString());
  });
  return addresses;
}

}  // namespace

TEST_CASE("a port that another program holds becomes another port") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  world.fail_opens.assign(7, OpenError::kPortInUse);
  CHECK(alice.Request(Method::kAllocate, RequestedUdp).code() == 0);
  CHECK(world.TakeLog() == Lines(8, "open r1 5.5.5.5 slot"));
  CHECK(world.directory().ports_in_use() == 1);
}

TEST_CASE("after 32 ports in use it is 508, and all of them are given back") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  world.fail_opens.assign(32, OpenError::kPortInUse);
  CHECK(alice.Request(Method::kAllocate, RequestedUdp).code() == 508);
  CHECK(world.TakeLog().size() == 32);
  CHECK(world.directory().ports_in_use() == 0);
  CHECK(world.server().allocation_count() == 0);
  alice.Allocate();  // the 5-tuple is free again
}

TEST_CASE("the last free port in use is 508") {
  auto settings = CoreWorld::DefaultSettings();
  settings.min_port = settings.max_port = 50000;
  CoreWorld world(settings);
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  world.fail_opens = {OpenError::kPortInUse};
  CHECK(alice.Request(Method::kAllocate, RequestedUdp).code() == 508);
  CHECK(world.TakeLog().size() == 1);
  CHECK(world.directory().ports_in_use() == 0);
}

TEST_CASE("no descriptor and no slot are 508 at once") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  for (const OpenError error : {OpenError::kNoResource, OpenError::kNoSlot}) {
    world.fail_opens = {error};
    CHECK(alice.Request(Method::kAllocate, RequestedUdp).code() == 508);
    CHECK(world.TakeLog().size() == 1);
    CHECK(world.directory().ports_in_use() == 0);
  }
}

TEST_CASE("a failed pair of EVEN-PORT gives both ports back") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const auto even = UdpAnd([](stun::MessageBuilder& builder) {
    const std::array<uint8_t, 1> reserve = {0x80};
    builder.AddBytes(AttributeType::kEvenPort, reserve);
  });
  world.fail_opens = {OpenError::kPortInUse, OpenError::kNoResource};
  CHECK(alice.Request(Method::kAllocate, even).code() == 508);
  CHECK(world.TakeLog().size() == 2);
  CHECK(world.directory().ports_in_use() == 0);
  CHECK(world.directory().reservations() == 0);
}

TEST_CASE("a redeemed port in use is 508: no other port will do") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const Reply first = alice.Request(Method::kAllocate, UdpAnd([](stun::MessageBuilder& builder) {
                                      const std::array<uint8_t, 1> reserve = {0x80};
                                      builder.AddBytes(AttributeType::kEvenPort, reserve);
                                    }));
  TestClient again(world, "7.7.7.7:1001", "alice", "s3cret");
  world.fail_opens = {OpenError::kPortInUse};
  CHECK(again
            .Request(Method::kAllocate, UdpAnd([&](stun::MessageBuilder& builder) {
                       builder.AddText(AttributeType::kReservationToken,
                                       first.Text(AttributeType::kReservationToken));
                     }))
            .code() == 508);
  CHECK(world.TakeLog().size() == 2);
  CHECK(world.directory().ports_in_use() == 1);
}

TEST_CASE("an allocation that ends while its relay is being opened leaves nothing behind") {
  for (const bool opens : {true, false}) {
    CoreWorld world;
    TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret", Transport::kTcp);
    alice.Challenge();
    world.hold_opens = true;
    CHECK(!alice.Exchange(alice.Build(Method::kAllocate, RequestedUdp, alice.NewId())));
    world.server().OnLinkClosed(alice.address.link, world.now());
    world.Poll();
    CHECK(world.TakeLog() == Lines{"open r1 5.5.5.5 slot"});
    if (!opens) world.fail_opens = {OpenError::kNoResource};
    world.AnswerHeldOpens();
    CHECK(world.TakeLog() == (opens ? Lines{"close r1", "closed s0 transport_closed"} : Lines{}));
    CHECK(world.directory().ports_in_use() == 0);
    CHECK(world.server().allocation_count() == 0);
  }
}

TEST_CASE("8656_7_2_step9 a dual allocation: two relays, one session, one meter") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const Reply reply = alice.Request(Method::kAllocate, UdpAnd(Additional));
  CHECK(reply.code() == 0);
  CHECK(world.TakeLog() == Lines{"open r1 5.5.5.5 slot", "open r2 2600::5"});
  CHECK(RelayedAddresses(reply) ==
        Lines{world.BindOf("r1").ToString(), world.BindOf("r2").ToString()});
  CHECK(!reply.Has(AttributeType::kAddressErrorCode));
  CHECK(world.meters().open_count() == 1);
  CHECK(world.server().stats().allocations[0][0].Get() == 1);
  CHECK(world.server().stats().allocations[0][1].Get() == 1);

  CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  CHECK(alice.Bind(0x4001, "[2a00::9]:9").code() == 0);
  CHECK(alice.Send("9.9.9.9:9", "four")->from == "r1");
  CHECK(alice.SendChannel(0x4001, "sixsix")->from == "r2");
  CHECK(world.FromPeer("r2", "[2a00::9]:9", AsBytes("x"))->message.size() == 5);
  CHECK(world.meters().Totals(world.SlotOf("r1")).payload_bytes == std::array<uint64_t, 2>{10, 1});
  CHECK(alice.Refresh(0).code() == 0);
  CHECK(world.TakeLog() == Lines{"close r1", "close r2", "closed s0 refreshed_to_zero"});
}

TEST_CASE("8656_7_2_step9 half of a dual allocation comes with ADDRESS-ERROR-CODE") {
  SUBCASE("IPv6 is not supported: 440") {
    auto settings = CoreWorld::DefaultSettings();
    settings.relay_addresses = {"5.5.5.5"};
    CoreWorld world(settings);
    TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
    const Reply reply = alice.Request(Method::kAllocate, UdpAnd(Additional));
    CHECK(reply.code() == 0);
    CHECK(RelayedAddresses(reply).size() == 1);
    CHECK(reply.Text(AttributeType::kAddressErrorCode) == std::string("\x02\x00\x04\x28", 4));
    CHECK(world.TakeLog().size() == 1);
  }
  SUBCASE("IPv6 does not open: 508") {
    CoreWorld world;
    TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
    world.fail_opens = {std::nullopt, OpenError::kNoResource};
    const Reply reply = alice.Request(Method::kAllocate, UdpAnd(Additional));
    CHECK(reply.code() == 0);
    CHECK(world.TakeLog() == Lines{"open r1 5.5.5.5 slot", "open r2 2600::5"});
    CHECK(RelayedAddresses(reply) == Lines{world.BindOf("r1").ToString()});
    CHECK(reply.Text(AttributeType::kAddressErrorCode) == std::string("\x02\x00\x05\x08", 4));
    CHECK(alice.Permit("[2a00::9]:9").code() == 443);
    CHECK(world.directory().ports_in_use() == 1);
  }
  SUBCASE("IPv4 does not open: the session lives on IPv6") {
    CoreWorld world;
    TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
    world.fail_opens = {OpenError::kNoResource};
    const Reply reply = alice.Request(Method::kAllocate, UdpAnd(Additional));
    CHECK(reply.code() == 0);
    CHECK(world.TakeLog() == Lines{"open r1 5.5.5.5 slot", "open r2 2600::5 slot"});
    CHECK(RelayedAddresses(reply) == Lines{world.BindOf("r2").ToString()});
    CHECK(reply.Text(AttributeType::kAddressErrorCode) == std::string("\x01\x00\x05\x08", 4));
    CHECK(world.SessionOf("r2").relayed == world.BindOf("r2"));
    CHECK(alice.Permit("9.9.9.9:9").code() == 443);
    CHECK(alice.Permit("[2a00::9]:9").code() == 0);
    CHECK(world.directory().ports_in_use() == 1);
  }
  SUBCASE("neither opens: 508") {
    CoreWorld world;
    TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
    world.fail_opens = {OpenError::kNoResource, OpenError::kNoResource};
    CHECK(alice.Request(Method::kAllocate, UdpAnd(Additional)).code() == 508);
    CHECK(world.TakeLog().size() == 2);
    CHECK(world.directory().ports_in_use() == 0);
  }
}

}  // namespace turnpike
