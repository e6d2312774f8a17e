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

}  // namespace turnpike
