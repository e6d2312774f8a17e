#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Class;
using stun::Method;

namespace {

// Icmp hands in an ICMP message about a datagram from `relay` to `peer`; the indication that the
// client gets, if any.
std::optional<Reply> Icmp(TestClient& client, RelayId relay, std::string_view peer,
                          const IcmpError& error) {
  CoreWorld& world = client.world();
  world.server().OnIcmp(relay, PeerAddress(Address(peer)), error, world.now());
  world.Poll();
  auto bytes = world.TakeMessage(client.address);
  if (!bytes) return std::nullopt;
  return Reply(std::move(*bytes));
}

TestClient::Fill Ipv6() {
  return [](stun::MessageBuilder& builder) {
    builder.AddU32(AttributeType::kRequestedAddressFamily, 2u << 24);
  };
}

}  // namespace

TEST_CASE("8656_11_5_icmp_becomes_a_data_indication_without_data_and_is_not_billed") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  const RelayId id = world.IdOf(relay);
  CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  const auto told = Icmp(alice, id, "9.9.9.9:1234", {.type = 3, .code = 3, .mtu = 7});
  REQUIRE(told);
  CHECK(told->view().message_class() == Class::kIndication);
  CHECK(told->view().method() == Method::kData);
  CHECK(told->types() == std::vector{AttributeType::kXorPeerAddress, AttributeType::kIcmp});
  CHECK(told->XorAddress(AttributeType::kXorPeerAddress) == "9.9.9.9:1234");
  // §18.13: 7 bits of type, 9 bits of code; error data is zero but for the two that tell an MTU.
  CHECK(told->Text(AttributeType::kIcmp) == std::string("\0\0\x06\x03\0\0\0\0", 8));
  const auto too_big = Icmp(alice, id, "9.9.9.9:1234", {.type = 3, .code = 4, .mtu = 1280});
  REQUIRE(too_big);
  CHECK(too_big->Text(AttributeType::kIcmp) == std::string("\0\0\x06\x04\0\0\x05\0", 8));
  CHECK(world.meters().Totals(world.SlotOf(relay)).payload_bytes == std::array<uint64_t, 2>{});
  CHECK(world.meters().Totals(world.SlotOf(relay)).wire_bytes == std::array<uint64_t, 2>{});
}

TEST_CASE("8656_11_5_only_types_that_the_rfc_names_reach_the_client") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const RelayId v4 = world.IdOf(alice.Allocate());
  CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  for (uint8_t type = 0; type < 20; ++type) {
    world.Advance(std::chrono::seconds(1));
    CHECK(Icmp(alice, v4, "9.9.9.9:9", {.type = type}).has_value() == (type == 3 || type == 11));
  }
  TestClient bob(world, "[2a00::7]:1000", "bob", "hunter2");
  const RelayId v6 = world.IdOf(bob.Allocate(Ipv6()));
  CHECK(bob.Permit("[2a00::9]:9").code() == 0);
  for (uint8_t type = 0; type < 20; ++type) {
    CHECK(Icmp(bob, v6, "[2a00::9]:9", {.type = type}).has_value() == (type >= 1 && type <= 3));
  }
}

TEST_CASE("8656_11_5_without_permission_or_allocation_it_is_dropped") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const RelayId relay = world.IdOf(alice.Allocate());
  CHECK_FALSE(Icmp(alice, relay, "9.9.9.9:9", {.type = 3}).has_value());
  CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  CHECK(Icmp(alice, relay, "9.9.9.9:9", {.type = 3}).has_value());
  CHECK_FALSE(Icmp(alice, relay, "9.9.9.8:9", {.type = 3}).has_value());
  CHECK(alice.Refresh(0).code() == 0);
  CHECK_FALSE(Icmp(alice, relay, "9.9.9.9:9", {.type = 3}).has_value());
  world.TakeLog();
}

TEST_CASE("a flood of ICMP messages becomes ten indications a second") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const RelayId relay = world.IdOf(alice.Allocate());
  CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  for (int second = 0; second < 2; ++second) {
    int told = 0;
    for (int i = 0; i < 50; ++i) {
      told += Icmp(alice, relay, "9.9.9.9:9", {.type = 3}).has_value() ? 1 : 0;
    }
    CHECK(told == 10);
    world.Advance(std::chrono::seconds(1));
  }
}

TEST_CASE("8656_11_5_behind_a_1_to_1_nat_the_peer_has_its_public_name") {
  CoreWorld::Settings settings = CoreWorld::DefaultSettings();
  settings.relay_addresses = {"10.0.0.5=5.5.5.5"};
  CoreWorld world(settings);
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const RelayId relay = world.IdOf(alice.Allocate());
  CHECK(alice.Permit("5.5.5.5:50001").code() == 0);
  const auto told = Icmp(alice, relay, "10.0.0.5:50001", {.type = 3, .code = 3});
  REQUIRE(told);
  CHECK(told->XorAddress(AttributeType::kXorPeerAddress) == "5.5.5.5:50001");
}

}  // namespace turnpike
