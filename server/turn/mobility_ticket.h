// MOBILITY-TICKET (RFC 8016 §3.3): what a client shows to have its allocation at another 5-tuple.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "common/base/bytes.h"
#include "common/stun/integrity.h"
#include "server/turn/nonce.h"
#include "server/turn/types.h"

namespace turnpike {

// MobilityTicket names an allocation of one core. `serial` counts its tickets, so that each is good
// for one move. That the client is the allocation's user is proven by its message integrity.
struct MobilityTicket {
  CoreId core;
  RelayId allocation;
  uint32_t serial = 0;

  friend bool operator==(const MobilityTicket&, const MobilityTicket&) = default;
};

// SealedTicket is what the client gets. None of its bytes is 0, and there are no more of them than
// 32: coturn's client keeps it as a C string in a field of 33 bytes.
using SealedTicket = std::array<uint8_t, 32>;

// TicketSeal makes and reads tickets. They are "authenticated and encrypted using strong
// cryptographic algorithms" (§5) under keys made of one start's secret, so that every worker reads
// those of the others and nobody reads those of an earlier start.
//
// The construction is SIV (Rogaway and Shrimpton, "A Provable-Security Treatment of the Key-Wrap
// Problem") with HMAC-SHA-256 as both functions: a MAC of the ticket stands first, and is the nonce
// by which the ticket behind it is encrypted. It needs no randomness, and the same ticket gives the
// same bytes whenever an answer is sent again.
class TicketSeal {
 public:
  explicit TicketSeal(const NonceSecret& secret);

  SealedTicket Seal(const MobilityTicket& ticket) const;

  // Open returns nullopt for anything that Seal did not make.
  std::optional<MobilityTicket> Open(ByteSpan sealed) const;

 private:
  stun::Sha256Mac mac_key_;
  stun::Sha256Mac cipher_key_;
};

}  // namespace turnpike
