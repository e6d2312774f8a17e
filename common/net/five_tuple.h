// The 5-tuple that identifies an allocation (RFC 8656 §2).
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

#include "common/base/siphash.h"
#include "common/net/transport_address.h"

namespace turnpike {

// Transport is the protocol between client and server. A new transport is a new enumerator here and
// a file in `server/io`.
enum class Transport : uint8_t { kUdp, kTcp, kTls, kDtls };
inline constexpr int kTransportCount = 4;

// TransportName returns `udp`, `tcp`, `tls` or `dtls`: the spelling of configuration, metrics and
// reports.
std::string_view TransportName(Transport transport);

// IsStream says whether messages are framed on a byte stream (RFC 8656 §12.5 padding applies).
constexpr bool IsStream(Transport transport) {
  return transport == Transport::kTcp || transport == Transport::kTls;
}

// FiveTuple is the client's and the server's transport address and the protocol between them.
struct FiveTuple {
  TransportAddress client;
  TransportAddress server;
  Transport transport = Transport::kUdp;

  friend constexpr auto operator<=>(const FiveTuple&, const FiveTuple&) = default;
};

// HashFiveTuple hashes every part of `tuple` under `key`: strangers choose 5-tuples, so tables of
// them need a keyed hash.
uint64_t HashFiveTuple(const SipKey& key, const FiveTuple& tuple);

}  // namespace turnpike
