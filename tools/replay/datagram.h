// Finds the UDP datagram in a captured packet.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "common/base/bytes.h"
#include "common/net/transport_address.h"
#include "tools/replay/capture.h"

namespace turnpike::replay {

// Skip says why a packet is not replayed.
enum class Skip : uint8_t {
  kNotIp,      // ARP and its like
  kTcp,        // so TURN over TCP and TLS too
  kNotUdp,     // ICMP and others
  kFragment,   // of IP: the datagram lies in several packets, which nobody puts together here
  kMalformed,  // lengths that contradict each other
  kCutShort,   // captured without its UDP header
  kTooLarge,   // no relay can frame it in one datagram: more than kLargestPayload
};
inline constexpr int kSkipCount = 7;

// SkipName says it in a few words that follow a number: `not IP`, `IP fragments`.
std::string_view SkipName(Skip skip);

// kLargestPayload leaves room for the framing in one datagram.
inline constexpr uint32_t kLargestPayload = 65'000;

// Datagram is a UDP datagram as it was on the wire.
struct Datagram {
  TransportAddress from;
  TransportAddress to;
  uint32_t size = 0;  // of the payload, whole
  ByteSpan payload;   // as far as it was captured
};

// DecodeDatagram takes link, VLAN, IP and UDP headers off `packet`, whose bytes it views.
std::expected<Datagram, Skip> DecodeDatagram(LinkType link_type, ByteSpan packet);

}  // namespace turnpike::replay
