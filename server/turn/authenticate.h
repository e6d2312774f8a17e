// The long-term credential mechanism, server side (RFC 8489 §9.2.4).
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "common/base/time.h"
#include "common/net/five_tuple.h"
#include "common/stun/integrity.h"
#include "common/stun/message.h"
#include "server/turn/credentials.h"
#include "server/turn/nonce.h"
#include "server/turn/options.h"
#include "server/turn/stats.h"

namespace turnpike {

// PasswordAlgorithm has the code points of RFC 8489 §18.5.
enum class PasswordAlgorithm : uint16_t { kMd5 = 0x0001, kSha256 = 0x0002 };

// kPasswordAlgorithms is the value of PASSWORD-ALGORITHMS that every challenge carries, in order of
// preference: SHA-256, MD5, both without parameters (§14.11).
inline constexpr std::array<uint8_t, 8> kPasswordAlgorithms = {0, 2, 0, 0, 0, 1, 0, 0};

// AnswerKind says how answers to a client prove themselves: with which of its keys, in which
// attribute.
struct AnswerKind {
  PasswordAlgorithm algorithm = PasswordAlgorithm::kMd5;
  stun::IntegrityKind integrity = stun::IntegrityKind::kSha1;
};

// KeyOf picks the key of `algorithm`; it views `keys`.
ByteSpan KeyOf(const CredentialKeys& keys, PasswordAlgorithm algorithm);

// Authenticated is a proven client. Account and label are empty when KnownClient proved it.
struct Authenticated {
  Principal principal;
  CredentialKeys keys;
  AnswerKind answer;
};

// AuthRejection is the error response that a request gets which is not authenticated.
struct AuthRejection {
  uint16_t code = 401;
  bool challenge = true;               // REALM, NONCE and PASSWORD-ALGORITHMS go along
  std::optional<AuthFailure> failure;  // nullopt: a first request, which is no failure
};

// KnownClient is who made the allocation of this 5-tuple. Its keys go on proving that user when the
// time of its credentials has passed or they were replaced: a call may outlast its token.
struct KnownClient {
  std::string_view username;
  const CredentialKeys* keys = nullptr;
  // The connection whose nonces are as good as this one's: a ConnectionBind (RFC 6062) comes by a
  // connection of its own, and clients prove it with what they know from the allocation's. That a
  // CONNECTION-ID is good only once keeps it from being replayed.
  const FiveTuple* control = nullptr;
};

// Authenticator checks requests against one set of rules. It owns none of what it is given.
class Authenticator {
 public:
  Authenticator(const TurnOptions& options, const NonceSecret& secret);

  // Check performs the checks of RFC 8489 §9.2.4 in their order.
  std::expected<Authenticated, AuthRejection> Check(const stun::MessageView& request,
                                                    const FiveTuple& tuple,
                                                    const std::optional<KnownClient>& known,
                                                    Now now) const;

  // Challenge adds REALM, NONCE and PASSWORD-ALGORITHMS.
  void Challenge(stun::MessageBuilder& builder, const FiveTuple& tuple, MonoTime now) const;

 private:
  SecurityFeatures features() const;

  const TurnOptions& options_;
  const NonceSecret& secret_;
};

}  // namespace turnpike
