// What RFC 8489 adds to long-term credentials, as the TURN client answers it.
#include "common/client/long_term_credential.h"

#include <doctest/doctest.h>

#include "tests/common/client/scripted_server.h"
#include "tests/support/hex.h"

namespace turnpike {
namespace {

using namespace scripted;
using enum stun::AttributeType;

// Cookies of RFC 8489 §9.2 with no bit, the password algorithms bit, and both bits.
constexpr const char* kNoBits = "obMatJos2AAAAnonce";
constexpr const char* kAlgorithmsBit = "obMatJos2gAAAnonce";
constexpr const char* kBothBits = "obMatJos2wAAAnonce";
constexpr const char* kMd5AndSha256 = "00010000 00020000";

TurnClientOptions Modern() {
  TurnClientOptions options = Options();
  options.sha256 = true;
  return options;
}

Bytes ChallengeWith(const Request& request, const char* nonce, const Bytes& algorithms) {
  Reply reply(request, stun::Class::kErrorResponse);
  reply->AddErrorCode(401);
  reply->AddText(kRealm, kTestRealm);
  reply->AddText(kNonce, nonce);
  if (!algorithms.empty()) reply->AddBytes(kPasswordAlgorithms, algorithms);
  return reply.Unprotected();
}

// Answer returns what the client sends after the challenge.
Request Answer(Conversation& talk, const char* nonce, const char* algorithms) {
  talk.client().Allocate(talk.now());
  talk.Receive(ChallengeWith(talk.Sent(), nonce, FromHex(algorithms)));
  return talk.Sent();
}

TEST_CASE(
    "8489_9_2_3_2: offered SHA-256, the client repeats the offer, chooses it and uses it alone") {
  Conversation talk(Modern());
  const Request request = Answer(talk, kAlgorithmsBit, kMd5AndSha256);
  CHECK(std::ranges::equal(request.view.Find(kPasswordAlgorithms).value(), FromHex(kMd5AndSha256)));
  CHECK(request.U32(kPasswordAlgorithm) == 0x00020000u);
  CHECK_FALSE(request.view.has_integrity());
  CHECK(request.view.VerifyIntegritySha256(stun::LongTermKeySha256(kUser, kTestRealm, kPassword)));
  CHECK(request.Text(kUsername) == kUser);

  talk.Receive(Grant(request));  // protected by SHA-1: not an answer to this request
  CHECK(talk.Quiet());
  Reply reply(request, stun::Class::kSuccessResponse);
  AddGrant(reply, 600);
  talk.Receive(reply.ProtectedSha256());
  talk.Event<Allocated>();
}

TEST_CASE("8489_9_2_3_2: offered MD5 alone, the key is MD5 and the integrity SHA-256") {
  Conversation talk(Modern());
  const Request request = Answer(talk, kAlgorithmsBit, "00010000");
  CHECK(request.U32(kPasswordAlgorithm) == 0x00010000u);
  CHECK(request.view.VerifyIntegritySha256(stun::LongTermKeyMd5(kUser, kTestRealm, kPassword)));
}

TEST_CASE("8489_14_11: parameters are stepped over with their padding") {
  Conversation talk(Modern());
  const Request request = Answer(talk, kAlgorithmsBit, "00770003 01020300 00020000");
  CHECK(request.U32(kPasswordAlgorithm) == 0x00020000u);
}

TEST_CASE("8489_9_2_5: with the username anonymity bit the name is hashed") {
  Conversation talk(Modern());
  const Request request = Answer(talk, kBothBits, kMd5AndSha256);
  CHECK_FALSE(request.view.Find(kUsername));
  CHECK(
      std::ranges::equal(request.view.Find(kUserhash).value(), stun::Userhash(kUser, kTestRealm)));
}

TEST_CASE(
    "8489_9_2_5: promised algorithms that are missing, unknown or cut short end the attempt") {
  for (const char* algorithms : {"", "00770000", "0002", "000200", "00020004", "00020000 0001"}) {
    CAPTURE(algorithms);
    Conversation talk(Modern());
    talk.client().Allocate(talk.now());
    talk.Receive(ChallengeWith(talk.Sent(), kAlgorithmsBit, FromHex(algorithms)));
    CHECK(talk.Event<Failed>().code == 401);
  }
}

TEST_CASE("8489_9_2_5: an endless list of algorithms is refused") {
  Bytes algorithms;
  for (int i = 0; i < 65; ++i) {
    const Bytes one = FromHex("00020000");
    algorithms.insert(algorithms.end(), one.begin(), one.end());
  }
  Conversation talk(Modern());
  talk.client().Allocate(talk.now());
  talk.Receive(ChallengeWith(talk.Sent(), kAlgorithmsBit, algorithms));
  CHECK(talk.Event<Failed>().code == 401);
}

TEST_CASE("without an offer, or without the wish, the client speaks like browsers do") {
  Conversation modern(Modern());
  CHECK(Answer(modern, kNoBits, "").view.has_integrity());
  Conversation plain;
  const Request request = Answer(plain, kBothBits, kMd5AndSha256);
  CHECK(request.view.has_integrity());
  CHECK_FALSE(request.view.Find(kPasswordAlgorithms));
  CHECK(request.Text(kUsername) == kUser);
}

TEST_CASE("8489_9_2_5: a 438 without algorithms keeps those that were offered") {
  Conversation talk(Modern());
  const Request request = Answer(talk, kAlgorithmsBit, kMd5AndSha256);
  talk.Receive(Challenge(request, 438, "obMatJos2gAAAfresh"));
  const Request retried = talk.Sent();
  CHECK(retried.Text(kNonce) == "obMatJos2gAAAfresh");
  CHECK(retried.U32(kPasswordAlgorithm) == 0x00020000u);
  CHECK(retried.view.has_integrity_sha256());
}

}  // namespace
}  // namespace turnpike
