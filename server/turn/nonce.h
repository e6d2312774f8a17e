// Stateless nonces (RFC 8489 §9.2): a nonce proves by itself when and for whom it was made.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "common/net/five_tuple.h"

namespace turnpike {

// SecurityFeatures are the 24 bits behind the nonce cookie (RFC 8489 §9.2, §18.1): bit 0, the most
// significant, is password algorithms, bit 1 username anonymity.
struct SecurityFeatures {
  bool password_algorithms = false;
  bool username_anonymity = false;
};

// NonceSecret is one start's secret, shared by all workers. Nonces of an earlier start are stale.
using NonceSecret = std::array<uint8_t, 32>;

// NonceStatus is what a nonce turned out to be.
enum class NonceStatus : uint8_t {
  kValid,
  kStale,  // made by us (or by an earlier start), but too old, or for another client: 438
};

// kNonceSize is the length of every nonce: short, since an unauthenticated answer must stay small.
inline constexpr size_t kNonceSize = 37;

// MakeNonce builds a nonce of kNonceSize printable characters, without quotes and backslashes:
//
//    obMatJos2 | features     | seconds of `now`  | MAC
//    9         | 4 in base64  | 8 in hexadecimal  | 16 in base64 (96 bits)
//
// The MAC (HMAC-SHA-256 under `secret`, truncated) covers all that stands before it and the
// client's transport address and transport: a nonce seen on one path is worth nothing on another.
// The server's address is left out, so that one nonce serves all listeners of a transport.
std::string MakeNonce(const NonceSecret& secret, SecurityFeatures features, const FiveTuple& tuple,
                      MonoTime now);

// CheckNonce verifies in constant time. A nonce is valid for `lifetime` (whole seconds count, so up
// to one second more). One that was not made by us is stale like an old one: RFC 8489 §9.2.4
// answers both with 438. So is one that was made with other features: whoever edits the bits to bid
// down breaks it.
NonceStatus CheckNonce(const NonceSecret& secret, SecurityFeatures features, const FiveTuple& tuple,
                       MonoTime now, Duration lifetime, std::string_view nonce);

}  // namespace turnpike
