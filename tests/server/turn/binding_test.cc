#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Class;
using stun::Method;

TEST_CASE("8489_6_3_1_1 Binding tells the client its address and nothing else") {
  CoreWorld world;
  TestClient client(world, "7.7.7.7:1000", "", "");
  const auto reply = client.Exchange(client.BuildPlain(Class::kRequest, Method::kBinding, {}));
  REQUIRE(reply);
  CHECK(reply->success());
  CHECK(reply->types() == std::vector{AttributeType::kXorMappedAddress});
  CHECK(reply->XorAddress(AttributeType::kXorMappedAddress) == "7.7.7.7:1000");
}

TEST_CASE("8489_14_2 Binding works over IPv6") {
  CoreWorld world;
  TestClient client(world, "[2a00::7]:1000", "", "");
  const auto reply = client.Exchange(client.BuildPlain(Class::kRequest, Method::kBinding, {}));
  REQUIRE(reply);
  CHECK(reply->XorAddress(AttributeType::kXorMappedAddress) == "[2a00::7]:1000");
}

TEST_CASE("8489_7 Binding answers with FINGERPRINT when the request had it") {
  CoreWorld world;
  TestClient client(world, "7.7.7.7:1000", "", "");
  const auto reply =
      client.Exchange(client.BuildPlain(Class::kRequest, Method::kBinding, {}, true));
  REQUIRE(reply);
  CHECK(reply->types() ==
        std::vector{AttributeType::kXorMappedAddress, AttributeType::kFingerprint});
}

TEST_CASE("8489_12 Binding needs no credentials and ignores wrong ones") {
  CoreWorld world;
  TestClient client(world, "7.7.7.7:1000", "mallory", "guess");
  client.realm = "elsewhere";
  client.nonce = "stale";
  const auto reply = client.Exchange(client.Build(Method::kBinding, {}, client.NewId()));
  REQUIRE(reply);
  CHECK(reply->types() == std::vector{AttributeType::kXorMappedAddress});
}

TEST_CASE("8489_6_3_1 Binding with an unknown comprehension-required attribute is 420") {
  CoreWorld world;
  TestClient client(world, "7.7.7.7:1000", "", "");
  const auto reply = client.Exchange(
      client.BuildPlain(Class::kRequest, Method::kBinding, [](stun::MessageBuilder& builder) {
        builder.AddU32(AttributeType::kPriority, 1);
        builder.AddU32(static_cast<AttributeType>(0x7F01), 1);
        builder.AddU32(static_cast<AttributeType>(0xBF01), 1);
      }));
  REQUIRE(reply);
  CHECK(reply->code() == 420);
  CHECK(reply->Text(AttributeType::kUnknownAttributes) == std::string("\x00\x24\x7F\x01", 4));
}

TEST_CASE("5780_6_1 CHANGE-REQUEST is 420 while nobody can answer from elsewhere") {
  CoreWorld world;
  TestClient client(world, "7.7.7.7:1000", "", "");
  const auto reply = client.Exchange(client.BuildPlain(
      Class::kRequest, Method::kBinding,
      [](stun::MessageBuilder& builder) { builder.AddU32(AttributeType::kChangeRequest, 6); }));
  REQUIRE(reply);
  CHECK(reply->code() == 420);
}

TEST_CASE("8489_6_3_2 a Binding indication gets no answer") {
  CoreWorld world;
  TestClient client(world, "7.7.7.7:1000", "", "");
  CHECK(!client.Exchange(client.BuildPlain(Class::kIndication, Method::kBinding, {})));
}

TEST_CASE("5389_12_2 a client of RFC 3489 gets MAPPED-ADDRESS under its own 128-bit id") {
  CoreWorld world;
  TestClient client(world, "7.7.7.7:1000", "", "");
  // As libnice sends it.
  const Bytes request = {0x00, 0x01, 0x00, 0x00, 0xf0, 0x17, 0xe8, 0xf3, 0x77, 0x80,
                         0xc6, 0x61, 0x9c, 0x96, 0xa2, 0x3f, 0x41, 0x56, 0x42, 0xc2};
  CHECK(!world.FromClient(client.address, request));
  const auto reply = world.TakeMessage(client.address);
  REQUIRE(reply);
  Bytes want = request;
  want[0] = 0x01;
  want[3] = 12;
  const Bytes mapped = {0x00, 0x01, 0x00, 0x08, 0x00, 0x01, 0x03, 0xe8, 7, 7, 7, 7};
  want.insert(want.end(), mapped.begin(), mapped.end());
  CHECK(*reply == want);
}

TEST_CASE("5389_12_2 RESPONSE-ADDRESS and CHANGE-REQUEST of RFC 3489 are 420") {
  CoreWorld world;
  TestClient client(world, "7.7.7.7:1000", "", "");
  for (const auto type : std::array<uint16_t, 2>{0x0002, 0x0003}) {
    Bytes request = client.BuildPlain(
        Class::kRequest, Method::kBinding,
        [&](stun::MessageBuilder& builder) { builder.AddU32(AttributeType{type}, 6); });
    request[4] = 0x77;
    CHECK(!world.FromClient(client.address, request));
    auto reply = world.TakeMessage(client.address);
    REQUIRE(reply);
    CHECK((*reply)[4] == 0x77);
    (*reply)[4] = 0x21;
    CHECK(Reply(*reply).code() == 420);
  }
}

TEST_CASE("5389_12_2 without the cookie nothing but a Binding request over UDP is answered") {
  CoreWorld world;
  TestClient udp(world, "7.7.7.7:1000", "", "");
  TestClient dtls(world, "7.7.7.7:1001", "", "", Transport::kDtls);
  Bytes binding = udp.BuildPlain(Class::kRequest, Method::kBinding, {});
  Bytes allocate = udp.BuildPlain(Class::kRequest, Method::kAllocate, RequestedUdp);
  Bytes indication = udp.BuildPlain(Class::kIndication, Method::kBinding, {});
  for (Bytes* each : {&binding, &allocate, &indication}) (*each)[4] = 0x77;
  CHECK(!udp.Exchange(allocate));
  CHECK(!udp.Exchange(indication));
  CHECK(!dtls.Exchange(binding));  // RFC 8489 §11
  binding.push_back(0);
  CHECK(!udp.Exchange(binding));
}

}  // namespace turnpike
