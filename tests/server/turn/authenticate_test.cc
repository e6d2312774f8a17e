#include "server/turn/authenticate.h"

#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Class;
using stun::IntegrityKind;
using stun::Method;

namespace {

uint64_t Failures(CoreWorld& world, AuthFailure reason) {
  return world.server().stats().auth_failures[static_cast<size_t>(reason)].Get();
}

CoreWorld::Settings WithSecrets() {
  auto settings = CoreWorld::DefaultSettings();
  settings.secrets = {"new secret", "old secret"};
  return settings;
}

std::string TokenName(CoreWorld& world, std::chrono::seconds valid, std::string_view rest) {
  const auto expiry =
      std::chrono::duration_cast<std::chrono::seconds>(world.now().wall.time_since_epoch() + valid)
          .count();
  return std::to_string(expiry) + ":" + std::string(rest);
}

}  // namespace

TEST_CASE("8489_9_2_4_check1 no integrity: 401 with REALM, NONCE, PASSWORD-ALGORITHMS, and small") {
  CoreWorld world;
  world.options().software = "Turnpike 0.1 with a long name that must not be told to strangers";
  world.Reload();
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const Bytes request = alice.BuildPlain(Class::kRequest, Method::kAllocate, RequestedUdp);
  CHECK(request.size() == 28);
  const auto reply = alice.Exchange(request);
  REQUIRE(reply);
  CHECK(reply->code() == 401);
  CHECK(reply->types() == std::vector{AttributeType::kErrorCode, AttributeType::kRealm,
                                      AttributeType::kNonce, AttributeType::kPasswordAlgorithms});
  CHECK(reply->Text(AttributeType::kRealm) == "turnpike.example");
  CHECK(reply->Text(AttributeType::kPasswordAlgorithms) == std::string("\0\2\0\0\0\1\0\0", 8));
  // On the wire with 28 bytes of IP and UDP, at most three times what came in.
  CHECK(reply->bytes().size() <= 140);
  CHECK((reply->bytes().size() + 28) <= 3 * (request.size() + 28));
  for (int i = 0; i < kAuthFailureCount; ++i) {
    CHECK(Failures(world, static_cast<AuthFailure>(i)) == 0);  // a first request is no failure
  }
}

TEST_CASE("8489_9_2_4_check1 nonces differ between clients, and their cookie tells the features") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  TestClient bob(world, "7.7.7.7:1001", "bob", "hunter2");
  alice.Challenge();
  bob.Challenge();
  CHECK(alice.nonce != bob.nonce);
  CHECK(alice.nonce.starts_with("obMatJos2wAAA"));  // both bits
  CoreWorld with_secrets(WithSecrets());
  TestClient carol(with_secrets, "7.7.7.7:1000", "carol", "x");
  carol.Challenge();
  CHECK(carol.nonce.starts_with("obMatJos2gAAA"));  // no username anonymity
}

TEST_CASE("8489_9_2_4_check2 USERNAME, REALM or NONCE missing: 400 that proves nothing") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Challenge();
  for (const AttributeType missing :
       {AttributeType::kUsername, AttributeType::kRealm, AttributeType::kNonce}) {
    Bytes buffer(500);
    stun::MessageBuilder builder(buffer, Class::kRequest, Method::kAllocate, alice.NewId());
    RequestedUdp(builder);
    if (missing != AttributeType::kUsername) builder.AddText(AttributeType::kUsername, "alice");
    if (missing != AttributeType::kRealm) builder.AddText(AttributeType::kRealm, alice.realm);
    if (missing != AttributeType::kNonce) builder.AddText(AttributeType::kNonce, alice.nonce);
    const ByteSpan message =
        builder.FinishWithIntegrity(IntegrityKind::kSha1, alice.keys().md5, false);
    const auto reply = alice.Exchange({message.begin(), message.end()});
    REQUIRE(reply);
    CHECK(reply->code() == 400);
    CHECK(reply->types() == std::vector{AttributeType::kErrorCode});
  }
  CHECK(Failures(world, AuthFailure::kMalformed) == 3);
}

TEST_CASE("8489_9_2_4_check3 password algorithms: both or none, ours exactly, one of them") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Challenge();
  const auto try_with = [&](std::string_view list, std::string_view choice) {
    Bytes buffer(500);
    stun::MessageBuilder builder(buffer, Class::kRequest, Method::kRefresh, alice.NewId());
    builder.AddText(AttributeType::kUsername, "alice");
    builder.AddText(AttributeType::kRealm, alice.realm);
    builder.AddText(AttributeType::kNonce, alice.nonce);
    if (!list.empty()) builder.AddText(AttributeType::kPasswordAlgorithms, list);
    if (!choice.empty()) builder.AddText(AttributeType::kPasswordAlgorithm, choice);
    const ByteSpan message =
        builder.FinishWithIntegrity(IntegrityKind::kSha256, alice.keys().sha256, false);
    return alice.Exchange({message.begin(), message.end()})->code();
  };
  const std::string_view ours("\0\2\0\0\0\1\0\0", 8);
  const std::string_view sha256("\0\2\0\0", 4);
  CHECK(try_with(ours, sha256) == 437);  // authenticated, no allocation
  CHECK(try_with(ours, {}) == 400);
  CHECK(try_with({}, sha256) == 400);
  CHECK(try_with(ours, std::string_view("\0\3\0\0", 4)) == 400);
  CHECK(try_with(ours, std::string_view("\0\2\0\1x", 5)) == 400);
  CHECK(try_with(std::string_view("\0\1\0\0", 4), std::string_view("\0\1\0\0", 4)) ==
        400);  // bid down
  CHECK(try_with(std::string_view("\0\1\0\0\0\2\0\0", 8), sha256) == 400);
  CHECK(try_with({}, {}) == 401);  // processed as MD5, so the SHA-256 key proves nothing
}

TEST_CASE("8489_9_2_4 a client that takes the bit out of the cookie gets 438, not a weaker check") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Challenge();
  alice.nonce.replace(9, 4, "AAAA");
  CHECK(alice.Request(Method::kRefresh).code() == 438);
}

TEST_CASE("8489_9_2_4_check4 unknown names: 401 with a challenge") {
  CoreWorld world;
  TestClient mallory(world, "7.7.7.7:1000", "mallory", "s3cret");
  const Reply reply = mallory.Request(Method::kAllocate, RequestedUdp);
  CHECK(reply.code() == 401);
  CHECK(reply.types() == std::vector{AttributeType::kErrorCode, AttributeType::kRealm,
                                     AttributeType::kNonce, AttributeType::kPasswordAlgorithms});
  CHECK(Failures(world, AuthFailure::kUnknownUser) == 1);
  TestClient endless(world, "7.7.7.7:1001", std::string(505, 'x'), "s3cret");
  CHECK(endless.Request(Method::kAllocate, RequestedUdp).code() == 401);
}

TEST_CASE("8489_9_2_4_check5 a wrong password: 401 with a challenge") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "wrong");
  const Reply reply = alice.Request(Method::kAllocate, RequestedUdp);
  CHECK(reply.code() == 401);
  CHECK(reply.Has(AttributeType::kNonce));
  CHECK(!reply.view().has_integrity());
  CHECK(Failures(world, AuthFailure::kBadIntegrity) == 1);
}

TEST_CASE("8489_9_2_4_check6 a nonce goes stale after its lifetime, and never before") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Challenge();
  world.Advance(std::chrono::seconds(3599));
  CHECK(alice.Request(Method::kRefresh).code() == 437);
  world.Advance(std::chrono::seconds(3));
  const Reply reply = alice.Request(Method::kRefresh);
  CHECK(reply.code() == 438);
  CHECK(reply.types() == std::vector{AttributeType::kErrorCode, AttributeType::kRealm,
                                     AttributeType::kNonce, AttributeType::kPasswordAlgorithms});
  CHECK(Failures(world, AuthFailure::kStaleNonce) == 1);
  alice.nonce = reply.Text(AttributeType::kNonce);
  CHECK(alice.Request(Method::kRefresh).code() == 437);
}

TEST_CASE("8489_9_2_4_check6 another client's nonce is stale") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  TestClient bob(world, "7.7.7.7:1001", "bob", "hunter2");
  alice.Challenge();
  bob.Challenge();
  bob.nonce = alice.nonce;
  CHECK(bob.Request(Method::kAllocate, RequestedUdp).code() == 438);
}

TEST_CASE("8489_9_2_4 answers prove themselves in the kind of the request") {
  CoreWorld world;
  uint16_t port = 1000;
  for (const auto algorithm : {PasswordAlgorithm::kMd5, PasswordAlgorithm::kSha256}) {
    for (const bool userhash : {false, true}) {
      TestClient alice(world, "7.7.7.7:" + std::to_string(++port), "alice", "s3cret");
      alice.negotiate = true;
      alice.algorithm = algorithm;
      alice.integrity = IntegrityKind::kSha256;
      alice.use_userhash = userhash;
      const std::string relay = alice.Allocate();  // Request() checks the proof
      CHECK(world.SessionOf(relay).username == "alice");
      CHECK(world.SessionOf(relay).account == "acme");
      CHECK(alice.Refresh(600).code() == 0);
      CHECK(alice.Permit("10.0.0.1:1").code() == 403);
      CHECK(alice.Refresh(0).code() == 0);
      CHECK(world.TakeLog().size() == 2);
    }
  }
}

TEST_CASE("8489_9_2_4 without negotiation the answer is MESSAGE-INTEGRITY, as for older clients") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const Reply reply = alice.Request(Method::kAllocate, RequestedUdp);
  CHECK(reply.view().has_integrity());
  CHECK(!reply.view().has_integrity_sha256());
  CHECK(!reply.Has(AttributeType::kNonce));
  CHECK(!reply.Has(AttributeType::kRealm));
  world.TakeLog();
}

TEST_CASE("time-limited credentials name account and label, under every secret") {
  CoreWorld world(WithSecrets());
  uint16_t port = 1000;
  for (const std::string_view secret : {"new secret", "old secret"}) {
    const std::string name = TokenName(world, std::chrono::hours(1), "acme:phone");
    TestClient alice(world, "7.7.7.7:" + std::to_string(++port), name,
                     TimeLimitedPassword(secret, name));
    const std::string relay = alice.Allocate();
    CHECK(world.SessionOf(relay).account == "acme");
    CHECK(world.SessionOf(relay).label == "phone");
  }
  const std::string name = TokenName(world, std::chrono::hours(1), "acme");
  TestClient mallory(world, "7.7.7.7:2000", name, TimeLimitedPassword("guess", name));
  CHECK(mallory.Request(Method::kAllocate, RequestedUdp).code() == 401);
}

TEST_CASE("an expired token opens nothing, but a live allocation outlasts it") {
  CoreWorld world(WithSecrets());
  const std::string name = TokenName(world, std::chrono::minutes(5), "acme");
  const std::string password = TimeLimitedPassword("new secret", name);
  TestClient alice(world, "7.7.7.7:1000", name, password);
  const std::string relay = alice.Allocate();
  world.Advance(std::chrono::minutes(6));
  CHECK(alice.Refresh(3600).code() == 0);
  CHECK(alice.Permit("9.9.9.9:1").code() == 0);
  CHECK(alice.Bind(0x4000, "9.9.9.9:1").code() == 0);

  TestClient late(world, "7.7.7.7:1001", name, password);
  CHECK(late.Request(Method::kAllocate, RequestedUdp).code() == 401);
  CHECK(Failures(world, AuthFailure::kExpired) == 1);
  alice.password = "guess";
  CHECK(alice.Refresh(3600).code() == 401);
  alice.password = password;
  CHECK(alice.Refresh(0).code() == 0);
  CHECK(world.TakeLog() == Lines{"close " + relay, "closed s0 refreshed_to_zero"});
}

TEST_CASE("a reload that removes a user or changes the secrets leaves live allocations alone") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  world.settings().users.clear();
  world.Reload();
  CHECK(alice.Refresh(600).code() == 0);
  TestClient again(world, "7.7.7.7:1001", "alice", "s3cret");
  CHECK(again.Request(Method::kAllocate, RequestedUdp).code() == 401);
}

TEST_CASE("8489_14_5 what follows MESSAGE-INTEGRITY is not read") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  Bytes refresh = alice.Build(Method::kRefresh, {}, alice.NewId());
  // Somebody on the path appends LIFETIME 0.
  const Bytes lifetime = {0x00, 0x0D, 0x00, 0x04, 0, 0, 0, 0};
  refresh.insert(refresh.end(), lifetime.begin(), lifetime.end());
  refresh[3] = static_cast<uint8_t>(refresh[3] + 8);
  const auto reply = alice.Exchange(refresh);
  REQUIRE(reply);
  CHECK(reply->code() == 0);
  CHECK(reply->U32(AttributeType::kLifetime) == 600);
}

}  // namespace turnpike
