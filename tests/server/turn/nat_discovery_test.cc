#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Class;
using stun::Method;

namespace {

CoreWorld::Settings Discovering() {
  CoreWorld::Settings settings = CoreWorld::DefaultSettings();
  settings.options.nat_discovery =
      NatDiscovery{.addresses = {Ip("5.5.5.1"), Ip("5.5.5.2")}, .ports = {3478, 3479}};
  return settings;
}

std::string Plain(const Reply& reply, AttributeType type) {
  const auto value = reply.view().Find(type);
  return value ? stun::DecodeAddress(*value)->ToString() : "";
}

// Answer is what came back, and between which addresses.
struct Answer {
  std::string from;
  std::string to;
  bool by_address = false;
  Reply reply;
};

Answer Ask(TestClient& client, const TestClient::Fill& fill, bool fingerprint = false) {
  CoreWorld& world = client.world();
  world.FromClient(client.address,
                   client.BuildPlain(Class::kRequest, Method::kBinding, fill, fingerprint));
  auto sent = world.TakeSent();
  REQUIRE(sent);
  CHECK_FALSE(world.TakeSent().has_value());
  return {sent->from.ToString(), sent->to.ToString(), sent->by_address,
          Reply(std::move(sent->bytes))};
}

TestClient::Fill Change(uint32_t flags) {
  return [flags](stun::MessageBuilder& builder) {
    builder.AddU32(AttributeType::kChangeRequest, flags);
  };
}

TestClient::Fill Padding(size_t size) {
  return [size](stun::MessageBuilder& builder) {
    builder.AddBytes(AttributeType::kPadding, Bytes(size));
  };
}

TestClient::Fill ResponsePort(uint16_t port) {
  return [port](stun::MessageBuilder& builder) {
    builder.AddU32(AttributeType::kResponsePort, uint32_t{port} << 16);
  };
}

}  // namespace

TEST_CASE("5780_6_1_a_plain_binding_is_told_the_origin_and_the_other_address") {
  CoreWorld world(Discovering());
  TestClient client(world, "7.7.7.7:1000", "", "");
  const Answer answer = Ask(client, {}, true);
  CHECK(answer.from == "5.5.5.1:3478");
  CHECK(answer.to == "7.7.7.7:1000");
  CHECK(answer.reply.types() ==
        std::vector{AttributeType::kXorMappedAddress, AttributeType::kMappedAddress,
                    AttributeType::kResponseOrigin, AttributeType::kOtherAddress,
                    AttributeType::kFingerprint});
  CHECK(answer.reply.XorAddress(AttributeType::kXorMappedAddress) == "7.7.7.7:1000");
  CHECK(Plain(answer.reply, AttributeType::kMappedAddress) == "7.7.7.7:1000");
  CHECK(Plain(answer.reply, AttributeType::kResponseOrigin) == "5.5.5.1:3478");
  CHECK(Plain(answer.reply, AttributeType::kOtherAddress) == "5.5.5.2:3479");
}

TEST_CASE("5780_6_1_table_1_change_request_chooses_the_source_wherever_the_request_came_in") {
  CoreWorld world(Discovering());
  TestClient client(world, "7.7.7.7:1000", "", "");
  const std::array<std::string, 2> ips = {"5.5.5.1", "5.5.5.2"};
  const std::array<std::string, 2> ports = {"3478", "3479"};
  for (size_t ip = 0; ip < 2; ++ip) {
    for (size_t port = 0; port < 2; ++port) {
      client.address.five_tuple.server = Address(ips[ip] + ":" + ports[port]);
      const std::string other = ips[1 - ip] + ":" + ports[1 - port];
      for (const uint32_t flags : {0u, 2u, 4u, 6u}) {
        const Answer answer = Ask(client, Change(flags));
        const size_t from_ip = (flags & 4) != 0 ? 1 - ip : ip;
        const size_t from_port = (flags & 2) != 0 ? 1 - port : port;
        CHECK(answer.from == ips[from_ip] + ":" + ports[from_port]);
        CHECK(answer.by_address);
        CHECK(Plain(answer.reply, AttributeType::kResponseOrigin) == answer.from);
        CHECK(Plain(answer.reply, AttributeType::kOtherAddress) == other);
      }
    }
  }
}

TEST_CASE("5780_6_1_response_port_changes_the_port_alone_and_excludes_padding") {
  CoreWorld world(Discovering());
  TestClient client(world, "7.7.7.7:1000", "", "");
  const Answer answer = Ask(client, ResponsePort(2000));
  CHECK(answer.to == "7.7.7.7:2000");
  CHECK(answer.reply.XorAddress(AttributeType::kXorMappedAddress) == "7.7.7.7:1000");
  CHECK(Ask(client, ResponsePort(0)).reply.code() == 400);
  CHECK(Ask(client, [](stun::MessageBuilder& builder) {
          ResponsePort(2000)(builder);
          Padding(100)(builder);
        }).reply.code() == 400);
}

TEST_CASE("5780_7_6_padding_never_makes_the_answer_larger_than_the_request") {
  CoreWorld world(Discovering());
  TestClient client(world, "7.7.7.7:1000", "", "");
  for (const size_t size : {0u, 4u, 100u, 1000u}) {
    for (const bool fingerprint : {false, true}) {
      const Answer answer = Ask(client, Padding(size), fingerprint);
      CHECK(answer.reply.Has(AttributeType::kPadding));
      // Below the size of an answer without padding there is nothing to bound.
      const size_t request = 20 + 4 + size + (fingerprint ? 8 : 0);
      CHECK(answer.reply.bytes().size() == std::max(request, size_t{72} + (fingerprint ? 8 : 0)));
    }
  }
}

TEST_CASE("5780_6_1_elsewhere_than_at_the_four_addresses_there_is_no_other_address") {
  CoreWorld world(Discovering());
  TestClient tcp(world, "7.7.7.7:1000", "", "", Transport::kTcp);
  CHECK(Ask(tcp, {}).reply.types() == std::vector{AttributeType::kXorMappedAddress});
  CHECK(Ask(tcp, Change(6)).reply.code() == 420);
  TestClient udp(world, "7.7.7.7:1001", "", "");
  udp.address.five_tuple.server = Address("5.5.5.3:3478");
  CHECK(Ask(udp, Change(6)).reply.code() == 420);
}

TEST_CASE("5780_7_3_behind_a_1_to_1_nat_the_public_addresses_are_told") {
  CoreWorld::Settings settings = Discovering();
  settings.relay_addresses = {"5.5.5.1=8.8.4.1", "5.5.5.2=8.8.4.2"};
  CoreWorld world(settings);
  TestClient client(world, "7.7.7.7:1000", "", "");
  const Answer answer = Ask(client, Change(4));
  CHECK(answer.from == "5.5.5.2:3478");
  CHECK(Plain(answer.reply, AttributeType::kResponseOrigin) == "8.8.4.2:3478");
  CHECK(Plain(answer.reply, AttributeType::kOtherAddress) == "8.8.4.2:3479");
}

}  // namespace turnpike
