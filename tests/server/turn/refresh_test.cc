#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Method;

namespace {

void Additional(stun::MessageBuilder& builder) {
  builder.AddU32(AttributeType::kAdditionalAddressFamily, 2u << 24);
}

TestClient::Fill Family(uint8_t family, std::optional<uint32_t> lifetime) {
  return [=](stun::MessageBuilder& builder) {
    if (lifetime) builder.AddU32(AttributeType::kLifetime, *lifetime);
    builder.AddU32(AttributeType::kRequestedAddressFamily, uint32_t{family} << 24);
  };
}

}  // namespace

TEST_CASE("8656_8_2 the desired lifetime") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  CHECK(alice.Refresh(std::nullopt).U32(AttributeType::kLifetime) == 600);
  CHECK(alice.Refresh(1).U32(AttributeType::kLifetime) == 600);
  CHECK(alice.Refresh(1800).U32(AttributeType::kLifetime) == 1800);
  CHECK(alice.Refresh(1'000'000).U32(AttributeType::kLifetime) == 3600);
  CHECK(alice
            .Request(Method::kRefresh,
                     [](stun::MessageBuilder& builder) {
                       builder.AddText(AttributeType::kLifetime, "1");
                     })
            .code() == 400);
}

TEST_CASE("8656_8_2 success has LIFETIME, then what proves it") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  CHECK(alice.Refresh(600).types() ==
        std::vector{AttributeType::kLifetime, AttributeType::kMessageIntegrity});
}

TEST_CASE("8656_8_2 an allocation lives as long as its last Refresh said, to the second") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  world.Advance(std::chrono::seconds(599));
  CHECK(alice.Refresh(600).code() == 0);
  world.Advance(std::chrono::seconds(599));
  CHECK(world.server().allocation_count() == 1);
  CHECK(world.TakeLog().empty());
  world.Advance(std::chrono::seconds(1));
  CHECK(world.server().allocation_count() == 0);
  CHECK(world.TakeLog() == Lines{"close " + relay, "closed s0 expired"});
  CHECK(alice.Refresh(600).code() == 437);
}

TEST_CASE("8656_8_2 a Refresh may shorten: from an hour to the default") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate(
      [](stun::MessageBuilder& builder) { builder.AddU32(AttributeType::kLifetime, 3600); });
  CHECK(alice.Refresh(600).code() == 0);
  world.Advance(std::chrono::seconds(600));
  CHECK(world.TakeLog().size() == 2);
}

TEST_CASE("8656_8_2_note Refresh 0 deletes, and its retransmission gets 437") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  const Bytes refresh = alice.Build(
      Method::kRefresh,
      [](stun::MessageBuilder& builder) { builder.AddU32(AttributeType::kLifetime, 0); },
      alice.NewId());
  const auto reply = alice.Exchange(refresh);
  REQUIRE(reply);
  CHECK(reply->code() == 0);
  CHECK(reply->U32(AttributeType::kLifetime) == 0);
  CHECK(alice.Proves(*reply));
  CHECK(world.TakeLog() == Lines{"close " + relay, "closed s0 refreshed_to_zero"});
  const auto again = alice.Exchange(refresh);
  REQUIRE(again);
  CHECK(again->code() == 437);
  CHECK(alice.Proves(*again));
  CHECK(world.directory().ports_in_use() == 0);
  CHECK(world.server().stats().closed[static_cast<size_t>(CloseReason::kRefreshedToZero)].Get() ==
        1);
}

TEST_CASE("8656_8_2 a family that the allocation does not have is 443") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  CHECK(alice.Request(Method::kRefresh, Family(2, 600)).code() == 443);
  CHECK(alice.Request(Method::kRefresh, Family(3, 600)).code() == 443);
  CHECK(alice.Request(Method::kRefresh, Family(2, 0)).code() == 443);
  CHECK(alice.Request(Method::kRefresh, Family(1, 600)).code() == 0);
}

TEST_CASE("8656_8_1 one address of a dual allocation is deleted, the other stays whole") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  CHECK(alice.Request(Method::kAllocate, UdpAnd(Additional)).code() == 0);
  CHECK(world.TakeLog().size() == 2);
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  CHECK(alice.Bind(0x4001, "[2a00::9]:9").code() == 0);
  CHECK(alice.Request(Method::kRefresh, Family(1, 0)).code() == 0);
  CHECK(world.TakeLog() == Lines{"close r1"});
  CHECK(!alice.SendChannel(0x4000, "gone"));
  CHECK(alice.SendChannel(0x4001, "there"));
  CHECK(alice.Send("[2a00::9]:10", "there"));
  CHECK(!world.FromPeer("r1", "9.9.9.9:9", AsBytes("gone")));
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 443);
  CHECK(alice.Request(Method::kRefresh, Family(1, 0)).code() == 443);
  CHECK(world.directory().ports_in_use() == 1);
  CHECK(world.server().stats().allocations[0][0].Get() == 0);
  CHECK(world.server().stats().allocations[0][1].Get() == 1);
  CHECK(alice.Request(Method::kRefresh, Family(2, 0)).code() == 0);
  CHECK(world.TakeLog() == Lines{"close r2", "closed s0 refreshed_to_zero"});
}

TEST_CASE("8656_8_1 each address of a dual allocation has its own time-to-expiry") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  CHECK(alice.Request(Method::kAllocate, UdpAnd(Additional)).code() == 0);
  CHECK(world.TakeLog().size() == 2);
  CHECK(alice.Request(Method::kRefresh, Family(2, 1200)).code() == 0);
  world.Advance(std::chrono::seconds(600));
  CHECK(world.TakeLog() == Lines{"close r1"});
  world.Advance(std::chrono::seconds(600));
  CHECK(world.TakeLog() == Lines{"close r2", "closed s0 expired"});
}

}  // namespace turnpike
