#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Method;

TEST_CASE("8656_12_2 success binds both ways and permits the peer's IP") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  const Reply reply = alice.Bind(0x4000, "9.9.9.9:9");
  CHECK(reply.code() == 0);
  CHECK(reply.types() == std::vector{AttributeType::kMessageIntegrity});
  CHECK(alice.SendChannel(0x4000, "x")->to == "9.9.9.9:9");
  CHECK(alice.Send("9.9.9.9:10", "x"));  // the permission knows no port
  CHECK(world.FromPeer(relay, "9.9.9.9:9", AsBytes("x"))->message == Bytes{0x40, 0, 0, 1, 'x'});
  CHECK(world.FromPeer(relay, "9.9.9.9:10", AsBytes("x"))->message.size() == 40);
}

TEST_CASE("8656_12_2 CHANNEL-NUMBER or XOR-PEER-ADDRESS missing or malformed is 400") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  CHECK(alice.Request(Method::kChannelBind).code() == 400);
  CHECK(alice
            .Request(Method::kChannelBind,
                     [](stun::MessageBuilder& builder) {
                       builder.AddU32(AttributeType::kChannelNumber, 0x40000000);
                     })
            .code() == 400);
  CHECK(alice
            .Request(Method::kChannelBind,
                     [](stun::MessageBuilder& builder) {
                       builder.AddXorAddress(AttributeType::kXorPeerAddress, Address("9.9.9.9:9"));
                     })
            .code() == 400);
  CHECK(alice
            .Request(Method::kChannelBind,
                     [](stun::MessageBuilder& builder) {
                       builder.AddText(AttributeType::kChannelNumber, "\x40\x01");
                       builder.AddXorAddress(AttributeType::kXorPeerAddress, Address("9.9.9.9:9"));
                     })
            .code() == 400);
  CHECK(alice.Bind(0x4000, "9.9.9.9:0").code() == 400);
}

TEST_CASE("8656_12_2 numbers outside 0x4000 to 0x4FFF are 400") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  for (const uint16_t number : std::array<uint16_t, 5>{0, 0x3FFF, 0x5000, 0x7FFF, 0xFFFF}) {
    CHECK(alice.Bind(number, "9.9.9.9:9").code() == 400);
  }
  CHECK(alice.Bind(0x4FFF, "9.9.9.9:9").code() == 0);
  CHECK(alice.SendChannel(0x4FFF, "x"));
}

TEST_CASE("5766_11_2 a client that fingerprints its requests may go up to 0x7FFF") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  CHECK_FALSE(alice.SendChannel(0x7FFF, "x"));
  alice.fingerprint = true;
  CHECK(alice.Bind(0x8000, "9.9.9.9:9").code() == 400);
  CHECK(alice.Bind(0x7FFF, "9.9.9.9:9").code() == 0);
  CHECK(alice.SendChannel(0x7FFF, "x"));
}

TEST_CASE("8656_12_2 number or peer bound otherwise is 400; the same pair is a refresh") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  CHECK(alice.Bind(0x4000, "9.9.9.9:10").code() == 400);
  CHECK(alice.Bind(0x4001, "9.9.9.9:9").code() == 400);
  CHECK(alice.Bind(0x4001, "9.9.9.9:10").code() == 0);
  CHECK(alice.Bind(0x4001, "9.9.9.9:9").code() == 400);  // both known, to each other's partner
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
}

TEST_CASE("8656_12_2 another family is 443, a forbidden peer 403") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  CHECK(alice.Bind(0x4000, "[2a00::9]:9").code() == 443);
  CHECK(alice.Bind(0x4000, "127.0.0.1:9").code() == 403);
  CHECK(alice.Bind(0x4000, "5.5.5.1:3478").code() == 403);  // the server's own listener
}

TEST_CASE("8656_12_2 the limit of channels is 508") {
  CoreWorld world;
  world.options().max_channels = 2;
  world.Reload();
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  CHECK(alice.Bind(0x4000, "9.9.9.9:1").code() == 0);
  CHECK(alice.Bind(0x4001, "9.9.9.9:2").code() == 0);
  CHECK(alice.Bind(0x4002, "9.9.9.9:3").code() == 508);
  CHECK(alice.Bind(0x4001, "9.9.9.9:2").code() == 0);
}

TEST_CASE("8656_12 a channel lasts 600 s, its permission 300 s, and data refreshes neither") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate(
      [](stun::MessageBuilder& builder) { builder.AddU32(AttributeType::kLifetime, 3600); });
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  world.Advance(std::chrono::seconds(299));
  CHECK(alice.SendChannel(0x4000, "x"));
  CHECK(world.FromPeer(relay, "9.9.9.9:9", AsBytes("x")));
  world.Advance(std::chrono::seconds(1));
  CHECK(!world.FromPeer(relay, "9.9.9.9:9", AsBytes("x")));
  CHECK(!alice.Send("9.9.9.9:9", "x"));
  CHECK(alice.SendChannel(0x4000, "x"));  // §12.6 asks for the binding alone
  world.Advance(std::chrono::seconds(299));
  CHECK(alice.SendChannel(0x4000, "x"));
  world.Advance(std::chrono::seconds(1));
  CHECK(!alice.SendChannel(0x4000, "x"));
}

TEST_CASE("8656_12 ChannelBind refreshes channel and permission") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate(
      [](stun::MessageBuilder& builder) { builder.AddU32(AttributeType::kLifetime, 3600); });
  for (int i = 0; i < 10; ++i) {
    CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
    world.Advance(std::chrono::seconds(240));
    CHECK(alice.SendChannel(0x4000, "x"));
    CHECK(world.FromPeer(relay, "9.9.9.9:9", AsBytes("x")));
  }
}

TEST_CASE("8656_12 after expiry number and peer rest for five minutes") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate(
      [](stun::MessageBuilder& builder) { builder.AddU32(AttributeType::kLifetime, 3600); });
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  world.Advance(std::chrono::seconds(600));
  CHECK(alice.Bind(0x4000, "9.9.9.9:10").code() == 400);
  CHECK(alice.Bind(0x4001, "9.9.9.9:9").code() == 400);
  world.Advance(std::chrono::seconds(299));
  CHECK(alice.Bind(0x4001, "9.9.9.9:9").code() == 400);
  world.Advance(std::chrono::seconds(1));
  CHECK(alice.Bind(0x4001, "9.9.9.9:9").code() == 0);
  CHECK(alice.Bind(0x4000, "9.9.9.9:10").code() == 0);
}

TEST_CASE("8656_12 the same pair may be bound again while it rests") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate(
      [](stun::MessageBuilder& builder) { builder.AddU32(AttributeType::kLifetime, 3600); });
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  world.Advance(std::chrono::seconds(700));
  CHECK(!alice.SendChannel(0x4000, "x"));
  CHECK(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  CHECK(alice.SendChannel(0x4000, "x"));
}

}  // namespace turnpike
