#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Method;

namespace {

TestClient::Fill Peers(std::vector<std::string> peers) {
  return [=](stun::MessageBuilder& builder) {
    for (const std::string& peer : peers) {
      builder.AddXorAddress(AttributeType::kXorPeerAddress, Address(peer));
    }
  };
}

}  // namespace

TEST_CASE("8656_10_2 several addresses in one request, ports ignored") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  const Reply reply = alice.Request(Method::kCreatePermission,
                                    Peers({"9.9.9.1:0", "9.9.9.2:5", "9.9.9.1:7", "9.9.9.3:1"}));
  CHECK(reply.code() == 0);
  CHECK(reply.types() == std::vector{AttributeType::kMessageIntegrity});
  for (const char* peer : {"9.9.9.1:1", "9.9.9.1:2", "9.9.9.2:3", "9.9.9.3:4"}) {
    CHECK(alice.Send(peer, "x"));
    CHECK(world.FromPeer(relay, peer, AsBytes("x")));
  }
  CHECK(!alice.Send("9.9.9.4:1", "x"));
}

TEST_CASE("8656_10_2 none, or one that is malformed: 400, and nothing is installed") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  CHECK(alice.Request(Method::kCreatePermission).code() == 400);
  CHECK(alice
            .Request(Method::kCreatePermission,
                     [](stun::MessageBuilder& builder) {
                       builder.AddXorAddress(AttributeType::kXorPeerAddress, Address("9.9.9.1:1"));
                       builder.AddText(AttributeType::kXorPeerAddress, "\x01\x01\x01\x01");
                     })
            .code() == 400);
  CHECK(!alice.Send("9.9.9.1:1", "x"));
}

TEST_CASE("8656_10_2 another family is 443, and nothing is installed") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  CHECK(alice.Request(Method::kCreatePermission, Peers({"9.9.9.1:1", "[2a00::9]:1"})).code() ==
        443);
  CHECK(!alice.Send("9.9.9.1:1", "x"));
}

TEST_CASE("8656_10_2 a forbidden address is 403, and nothing is installed") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  for (const char* denied : {"127.0.0.1:80", "10.1.2.3:80", "169.254.169.254:80", "0.0.0.0:80"}) {
    CHECK(alice.Request(Method::kCreatePermission, Peers({"9.9.9.1:1", denied})).code() == 403);
  }
  CHECK(!alice.Send("9.9.9.1:1", "x"));
}

TEST_CASE("8656_10_2 the limit is 508, all or nothing, and counts each address once") {
  CoreWorld world;
  world.options().max_permissions = 3;
  world.Reload();
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  CHECK(alice.Permit("9.9.9.1:1").code() == 0);
  CHECK(alice.Request(Method::kCreatePermission, Peers({"9.9.9.2:1", "9.9.9.3:1", "9.9.9.4:1"}))
            .code() == 508);
  CHECK(!alice.Send("9.9.9.2:1", "x"));
  CHECK(alice
            .Request(Method::kCreatePermission,
                     Peers({"9.9.9.2:1", "9.9.9.1:1", "9.9.9.3:1", "9.9.9.2:7"}))
            .code() == 0);
  CHECK(alice.Bind(0x4000, "9.9.9.5:1").code() == 508);
  CHECK(alice.Bind(0x4000, "9.9.9.3:1").code() == 0);
  world.Advance(std::chrono::seconds(300));
  CHECK(alice.Permit("9.9.9.4:1").code() == 0);  // what expired makes room
}

TEST_CASE("8656_9 a permission lasts 300 s, unless refreshed, and traffic does not refresh it") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  world.Advance(std::chrono::milliseconds(299'999));
  CHECK(alice.Send("9.9.9.9:9", "x"));
  CHECK(world.FromPeer(relay, "9.9.9.9:9", AsBytes("x")));
  world.Advance(std::chrono::milliseconds(1));
  CHECK(!alice.Send("9.9.9.9:9", "x"));
  CHECK(!world.FromPeer(relay, "9.9.9.9:9", AsBytes("x")));
  CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  CHECK(alice.Refresh(3600).code() == 0);
  for (int i = 0; i < 5; ++i) {
    world.Advance(std::chrono::seconds(240));
    CHECK(alice.Send("9.9.9.9:9", "x"));
    CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  }
}

TEST_CASE("8656_9 permissions of one allocation are unrelated to another's") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  TestClient second(world, "7.7.7.7:1001", "alice", "s3cret");
  alice.Allocate();
  second.Allocate();
  CHECK(alice.Permit("9.9.9.9:9").code() == 0);
  CHECK(alice.Send("9.9.9.9:9", "x"));
  CHECK(!second.Send("9.9.9.9:9", "x"));
}

}  // namespace turnpike
