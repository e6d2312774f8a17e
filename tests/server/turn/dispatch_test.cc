// Every method against every way in which a request can be wrong.
#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Class;
using stun::Method;

namespace {

constexpr std::array<Method, 4> kMethods = {Method::kAllocate, Method::kRefresh,
                                            Method::kCreatePermission, Method::kChannelBind};

// Valid adds what makes a request of `method` succeed.
TestClient::Fill Valid(Method method) {
  return [=](stun::MessageBuilder& builder) {
    if (method == Method::kAllocate) RequestedUdp(builder);
    if (method == Method::kRefresh) builder.AddU32(AttributeType::kLifetime, 600);
    if (method == Method::kChannelBind) {
      builder.AddU32(AttributeType::kChannelNumber, 0x40050000);
    }
    if (method == Method::kCreatePermission || method == Method::kChannelBind) {
      builder.AddXorAddress(AttributeType::kXorPeerAddress, Address("9.9.9.9:9"));
    }
  };
}

// Scene is a client that may send any method: with an allocation, unless it is for Allocate.
struct Scene {
  CoreWorld world;
  TestClient alice{world, "7.7.7.7:1000", "alice", "s3cret"};

  explicit Scene(Method method) {
    alice.Challenge();
    if (method != Method::kAllocate) alice.Allocate();
  }
  ~Scene() { world.TakeLog(); }

  // Unharmed says whether the allocation is as it was.
  bool Unharmed(Method method) {
    return world.server().allocation_count() == (method == Method::kAllocate ? 0 : 1) &&
           !alice.Send("9.9.9.9:9", "x") && !alice.SendChannel(0x4005, "x");
  }
};

}  // namespace

TEST_CASE("every method: no credentials is 401, a wrong password 401") {
  for (const Method method : kMethods) {
    Scene scene(method);
    const auto plain =
        scene.alice.Exchange(scene.alice.BuildPlain(Class::kRequest, method, Valid(method)));
    REQUIRE(plain);
    CHECK(plain->code() == 401);
    CHECK(plain->Has(AttributeType::kNonce));
    CHECK(plain->bytes().size() <= 140);
    scene.alice.password = "wrong";
    CHECK(scene.alice.Request(method, Valid(method)).code() == 401);
    CHECK(scene.Unharmed(method));
  }
}

TEST_CASE("every method: a stale nonce is 438 and the new one works") {
  for (const Method method : kMethods) {
    Scene scene(method);
    const std::string good = scene.alice.nonce;
    scene.alice.nonce.back() = good.back() == 'A' ? 'B' : 'A';
    const Reply stale = scene.alice.Request(method, Valid(method));
    CHECK(stale.code() == 438);
    CHECK(scene.Unharmed(method));
    scene.alice.nonce = stale.Text(AttributeType::kNonce);
    CHECK(scene.alice.Request(method, Valid(method)).code() == 0);
  }
}

TEST_CASE("8656_5 every method but Allocate: another user is 441, proven with that user's key") {
  for (const Method method : kMethods) {
    if (method == Method::kAllocate) continue;
    Scene scene(method);
    TestClient bob(scene.world, "7.7.7.7:1000", "bob", "hunter2");
    CHECK(bob.Request(method, Valid(method)).code() == 441);
    CHECK(scene.Unharmed(method));
    CHECK(scene.world.server()
              .stats()
              .auth_failures[static_cast<size_t>(AuthFailure::kWrongUser)]
              .Get() == 1);
  }
}

TEST_CASE("8489_6_3_1 every method: unknown comprehension-required attributes are 420, listed") {
  for (const Method method : kMethods) {
    Scene scene(method);
    const auto fill = [&](stun::MessageBuilder& builder) {
      Valid(method)(builder);
      builder.AddU32(static_cast<AttributeType>(0x7F01), 0);
      builder.AddU32(static_cast<AttributeType>(0xFF01), 0);  // comprehension-optional
      builder.AddU32(static_cast<AttributeType>(0x0777), 0);
    };
    const Reply reply = scene.alice.Request(method, fill);
    CHECK(reply.code() == 420);
    CHECK(reply.Text(AttributeType::kUnknownAttributes) == "\x7F\x01\x07\x77");
    CHECK(scene.Unharmed(method));
    // Without credentials it is not even looked at: 401 comes first.
    const auto plain = scene.alice.Exchange(scene.alice.BuildPlain(Class::kRequest, method, fill));
    CHECK(plain->code() == 401);
  }
}

TEST_CASE("every method: with any one bit wrong a request never succeeds") {
  for (const Method method : kMethods) {
    Scene scene(method);
    scene.alice.fingerprint = false;
    const Bytes request = scene.alice.Build(method, Valid(method), scene.alice.NewId());
    for (size_t bit = 0; bit < request.size() * 8; ++bit) {
      Bytes wrong = request;
      wrong[bit / 8] = static_cast<uint8_t>(wrong[bit / 8] ^ (1u << (bit % 8)));
      const auto reply = scene.alice.Exchange(wrong);
      // A Binding request needs no credentials; nothing else may pass.
      if (reply && reply->view().method() != Method::kBinding) CHECK(!reply->success());
    }
    CHECK(scene.Unharmed(method));
  }
}

TEST_CASE("a family mismatch is 443 for every method that names a peer or a family") {
  Scene scene(Method::kRefresh);
  const auto v6_peer = [](stun::MessageBuilder& b) {
    b.AddU32(AttributeType::kChannelNumber, 0x40000000);
    b.AddXorAddress(AttributeType::kXorPeerAddress, Address("[2a00::9]:9"));
  };
  CHECK(scene.alice.Request(Method::kCreatePermission, v6_peer).code() == 443);
  CHECK(scene.alice.Request(Method::kChannelBind, v6_peer).code() == 443);
  CHECK(scene.alice
            .Request(Method::kRefresh,
                     [](stun::MessageBuilder& b) {
                       b.AddU32(AttributeType::kRequestedAddressFamily, 2u << 24);
                     })
            .code() == 443);
}

TEST_CASE("8489_6_3 unknown methods, wrong classes and responses are silently discarded") {
  Scene scene(Method::kRefresh);
  for (const uint16_t method :
       std::array<uint16_t, 7>{0x000, 0x002, 0x005, 0x006, 0x007, 0x00C, 0x077}) {
    CHECK(!scene.alice.Exchange(
        scene.alice.BuildPlain(Class::kRequest, static_cast<Method>(method), {})));
    CHECK(!scene.alice.Exchange(
        scene.alice.Build(static_cast<Method>(method), {}, scene.alice.NewId())));
  }
  for (const Method method : kMethods) {
    for (const Class c : {Class::kIndication, Class::kSuccessResponse, Class::kErrorResponse}) {
      CHECK(!scene.alice.Exchange(scene.alice.BuildPlain(c, method, Valid(method))));
    }
  }
  for (const Class c : {Class::kSuccessResponse, Class::kErrorResponse}) {
    CHECK(!scene.alice.Exchange(scene.alice.BuildPlain(c, Method::kBinding, {})));
  }
  CHECK(scene.Unharmed(Method::kRefresh));
}

TEST_CASE("8489_7 a wrong FINGERPRINT is silently discarded") {
  Scene scene(Method::kRefresh);
  scene.alice.fingerprint = true;
  Bytes request = scene.alice.Build(Method::kRefresh, {}, scene.alice.NewId());
  CHECK(scene.alice.Exchange(request)->types().back() == AttributeType::kFingerprint);
  request.back() ^= 1;
  CHECK(!scene.alice.Exchange(request));
}

TEST_CASE("messages are counted by method and class") {
  Scene scene(Method::kRefresh);
  const auto& messages = scene.world.server().stats().messages;
  CHECK(messages[3][0].Get() == 2);  // Allocate: 401, then success
  CHECK(messages[3][2].Get() == 1);
  CHECK(messages[3][3].Get() == 1);
  CHECK(scene.alice.Permit("127.0.0.1:1").code() == 403);
  CHECK(messages[8][0].Get() == 1);
  CHECK(messages[8][3].Get() == 1);
  scene.alice.Exchange(scene.alice.BuildPlain(Class::kRequest, static_cast<Method>(0x077), {}));
  CHECK(messages[0][0].Get() == 1);
  CHECK(scene.world.server().stats().errors[103].Get() == 1);
  CHECK(scene.world.server().stats().allocation_errors[101].Get() == 1);
}

}  // namespace turnpike
