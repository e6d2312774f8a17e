// Stateless nonces (RFC 8489 §9.2): a nonce proves by itself when and for whom it was made.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/random.h"
#include "common/base/time.h"
#include "common/net/five_tuple.h"

namespace turnpike {

// SecurityFeatures are the bits behind the nonce cookie (RFC 8489 §18.1).
struct SecurityFeatures {
  bool password_algorithms = false;
  bool username_anonymity = false;
};

// NonceSecret is one start's secret, shared by all workers. Nonces of an earlier start are stale.
using NonceSecret = std::array<uint8_t, 32>;

// NonceStatus is what a nonce turned out to be.
enum class NonceStatus : uint8_t {
  kValid,
  kStale,   // made by us (or by an earlier start), but too old, or for another 5-tuple: 438
};

// MakeNonce builds `obMatJos2` + features + time + MAC over time, features and the client's 5-tuple:
// printable, without quotes, at most 48 bytes (an unauthenticated answer must stay small).
std::string MakeNonce(const NonceSecret& secret, SecurityFeatures features, const FiveTuple& tuple,
                      MonoTime now);

// CheckNonce verifies in constant time. A nonce that was not made by us is stale like an old one:
// RFC 8489 §9.2.4 answers both with 438.
NonceStatus CheckNonce(const NonceSecret& secret, SecurityFeatures features, const FiveTuple& tuple,
                       MonoTime now, Duration lifetime, std::string_view nonce);

}  // namespace turnpike
