#include "common/client/long_term_credential.h"

#include <string_view>
#include <utility>

#include "common/base/check.h"
#include "common/stun/integrity.h"

namespace turnpike {
namespace {

using enum stun::AttributeType;

// Password algorithms (RFC 8489 §18.5).
constexpr uint16_t kMd5 = 0x0001;
constexpr uint16_t kSha256 = 0x0002;

// What a challenge may make us repeat in every request: REALM and NONCE have at most 763 bytes
// (§14.9, §14.10); the list of algorithms has no limit of its own, but two are defined.
constexpr size_t kMaxTextSize = 763;
constexpr size_t kMaxAlgorithmsSize = 256;

// A nonce cookie is this text and four Base64 characters of security feature bits (§9.2); the first
// two bits, both in the first character, are defined (§18.1).
constexpr std::string_view kNonceCookie = "obMatJos2";
constexpr unsigned kPasswordAlgorithmsBit = 0b100000;
constexpr unsigned kUsernameAnonymityBit = 0b010000;

// SecurityFeatures returns the first six feature bits of `nonce`; 0 when it has no cookie.
unsigned SecurityFeatures(std::string_view nonce) {
  if (!nonce.starts_with(kNonceCookie) || nonce.size() < kNonceCookie.size() + 4) return 0;
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const size_t value = kAlphabet.find(nonce[kNonceCookie.size()]);
  return value == std::string_view::npos ? 0 : static_cast<unsigned>(value);
}

}  // namespace

LongTermCredential::LongTermCredential(std::string username, std::string password, bool rfc8489)
    : username_(std::move(username)), password_(std::move(password)), rfc8489_(rfc8489) {}

bool LongTermCredential::Learn(const stun::MessageView& challenge) {
  const auto realm = challenge.Find(kRealm);
  const auto nonce = challenge.Find(kNonce);
  if (!nonce || (!realm && realm_.empty())) return false;
  if (nonce->size() > kMaxTextSize || (realm && realm->size() > kMaxTextSize)) return false;
  const unsigned features = rfc8489_ ? SecurityFeatures(AsText(*nonce)) : 0;
  const auto algorithms = rfc8489_ ? challenge.Find(kPasswordAlgorithms) : std::nullopt;
  if (algorithms) {
    if (algorithms->size() > kMaxAlgorithmsSize) return false;
    const uint16_t chosen = ChooseAlgorithm(*algorithms);
    if (chosen == 0) return false;
    algorithms_.assign(algorithms->begin(), algorithms->end());
    algorithm_ = chosen;
  } else if ((features & kPasswordAlgorithmsBit) != 0 && algorithm_ == 0) {
    return false;
  }
  if (realm) realm_ = AsText(*realm);
  nonce_ = AsText(*nonce);
  use_userhash_ = (features & kUsernameAnonymityBit) != 0;
  DeriveKey();
  return true;
}

uint16_t LongTermCredential::ChooseAlgorithm(ByteSpan algorithms) {
  ByteReader reader(algorithms);
  uint16_t chosen = 0;
  while (reader.remaining() > 0) {
    const auto algorithm = reader.ReadU16();
    const auto parameters = reader.ReadU16();
    if (!algorithm || !parameters) return 0;
    const size_t padded = *parameters + stun::PaddingFor(*parameters);
    if (!reader.ReadBytes(padded)) return 0;
    // The stronger one, wherever it stands: §9.2.5 lets the client take any that it supports.
    if (*algorithm == kSha256 || (*algorithm == kMd5 && chosen == 0)) chosen = *algorithm;
  }
  return chosen;
}

void LongTermCredential::DeriveKey() {
  if (algorithm_ == kSha256) {
    const auto key = stun::LongTermKeySha256(username_, realm_, password_);
    key_.assign(key.begin(), key.end());
  } else {
    const auto key = stun::LongTermKeyMd5(username_, realm_, password_);
    key_.assign(key.begin(), key.end());
  }
}

ByteSpan LongTermCredential::Finish(stun::MessageBuilder& builder, bool fingerprint) const {
  TP_CHECK(known());
  if (use_userhash_) {
    builder.AddBytes(kUserhash, stun::Userhash(username_, realm_));
  } else {
    builder.AddText(kUsername, username_);
  }
  builder.AddText(kRealm, realm_);
  builder.AddText(kNonce, nonce_);
  if (algorithm_ == 0) {
    return builder.FinishWithIntegrity(stun::IntegrityKind::kSha1, key_, fingerprint);
  }
  builder.AddBytes(kPasswordAlgorithms, algorithms_);
  builder.AddU32(kPasswordAlgorithm, uint32_t{algorithm_} << 16);  // without parameters
  return builder.FinishWithIntegrity(stun::IntegrityKind::kSha256, key_, fingerprint);
}

bool LongTermCredential::Verify(const stun::MessageView& response) const {
  return algorithm_ == 0 ? response.VerifyIntegrity(key_) : response.VerifyIntegritySha256(key_);
}

}  // namespace turnpike
