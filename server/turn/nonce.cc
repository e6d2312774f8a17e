#include "server/turn/nonce.h"

#include <charconv>

#include "common/base/check.h"
#include "common/stun/integrity.h"

namespace turnpike {
namespace {

constexpr std::string_view kCookie = "obMatJos2";
constexpr size_t kFeatureChars = 4;  // 24 bits in base64
constexpr size_t kTimeOffset = kCookie.size() + kFeatureChars;
constexpr size_t kTimeChars = 8;
constexpr size_t kMacBytes = 12;
static_assert(kNonceSize == kTimeOffset + kTimeChars + kMacBytes / 3 * 4);

// SecondsOf counts seconds modulo 2^32: ages are differences, so the wrap does no harm.
uint32_t SecondsOf(MonoTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch());
  return static_cast<uint32_t>(seconds.count());
}

std::string FeatureChars(SecurityFeatures features) {
  const auto first_byte = static_cast<uint8_t>((features.password_algorithms ? 0x80 : 0) |
                                               (features.username_anonymity ? 0x40 : 0));
  const std::array<uint8_t, 3> bits = {first_byte, 0, 0};
  return stun::Base64(bits);
}

std::string HexChars(uint32_t number) {
  std::string text(kTimeChars, '0');
  for (size_t i = 0; i < kTimeChars; ++i) {
    text[i] = "0123456789abcdef"[number >> (28 - 4 * i) & 0xF];
  }
  return text;
}

std::string Build(const NonceSecret& secret, SecurityFeatures features, const FiveTuple& tuple,
                  uint32_t seconds) {
  std::string nonce(kCookie);
  nonce += FeatureChars(features);
  nonce += HexChars(seconds);
  // The family stands before the address: its length alone decides where the rest begins.
  const std::array<uint8_t, 4> rest = {
      static_cast<uint8_t>(tuple.transport), static_cast<uint8_t>(tuple.client.ip.family()),
      static_cast<uint8_t>(tuple.client.port >> 8), static_cast<uint8_t>(tuple.client.port & 0xFF)};
  const stun::Sha256Mac mac =
      stun::HmacSha256(secret, {AsBytes(nonce), rest, tuple.client.ip.bytes()});
  nonce += stun::Base64(ByteSpan(mac).first(kMacBytes));
  TP_DCHECK(nonce.size() == kNonceSize);
  return nonce;
}

}  // namespace

std::string MakeNonce(const NonceSecret& secret, SecurityFeatures features, const FiveTuple& tuple,
                      MonoTime now) {
  return Build(secret, features, tuple, SecondsOf(now));
}

NonceStatus CheckNonce(const NonceSecret& secret, SecurityFeatures features, const FiveTuple& tuple,
                       MonoTime now, Duration lifetime, std::string_view nonce) {
  if (nonce.size() != kNonceSize) return NonceStatus::kStale;
  const std::string_view hex = nonce.substr(kTimeOffset, kTimeChars);
  uint32_t made = 0;
  const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), made, 16);
  if (error != std::errc() || end != hex.data() + hex.size()) return NonceStatus::kStale;

  const std::string ours = Build(secret, features, tuple, made);
  if (!stun::EqualConstantTime(AsBytes(ours), AsBytes(nonce))) return NonceStatus::kStale;
  // The MAC is right, so only we can have made it. An age below zero is then another worker's clock
  // reading, taken a moment later than ours.
  const std::chrono::seconds age(static_cast<int32_t>(SecondsOf(now) - made));
  return age <= lifetime ? NonceStatus::kValid : NonceStatus::kStale;
}

}  // namespace turnpike
