// IP and transport addresses as values. No sockets here: `server/io` converts to and from sockaddr.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/strong.h"

namespace turnpike {

// AddressFamily has the code points of RFC 8489 §14.1, which every STUN attribute uses.
enum class AddressFamily : uint8_t { kIpv4 = 0x01, kIpv6 = 0x02 };

// IpAddress is an IPv4 or IPv6 address. The default value is 0.0.0.0.
class IpAddress {
 public:
  constexpr IpAddress() = default;

  // V4 and V6 take the bytes in network order. An IPv4-mapped V6 address stays V6: call `Unmapped`
  // to fold it.
  static IpAddress V4(std::span<const uint8_t, 4> bytes);
  static IpAddress V6(std::span<const uint8_t, 16> bytes);

  // Parse reads dotted-quad IPv4 or RFC 4291 IPv6 text, without brackets, port or zone.
  static std::optional<IpAddress> Parse(std::string_view text);

  AddressFamily family() const { return family_; }
  bool is_v4() const { return family_ == AddressFamily::kIpv4; }

  // bytes views the 4 or 16 bytes in network order.
  ByteSpan bytes() const { return ByteSpan(bytes_.data(), is_v4() ? 4 : 16); }

  // is_unspecified says whether this is 0.0.0.0 or ::.
  bool is_unspecified() const;

  // Unmapped returns the IPv4 address inside ::ffff:0:0/96, or this address unchanged.
  IpAddress Unmapped() const;

  // ToString renders dotted quad or RFC 5952 text.
  std::string ToString() const;

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  AddressFamily family_ = AddressFamily::kIpv4;
  std::array<uint8_t, 16> bytes_{};  // IPv4 uses the first four; the rest stays zero
};

// TransportAddress is an IP address and a port (RFC 8656 §2).
struct TransportAddress {
  IpAddress ip;
  uint16_t port = 0;

  // Parse reads `203.0.113.7:3478` or `[2001:db8::7]:3478`.
  static std::optional<TransportAddress> Parse(std::string_view text);

  // ToString renders what Parse reads.
  std::string ToString() const;

  friend constexpr auto operator<=>(const TransportAddress&, const TransportAddress&) = default;
};

// PeerAddress is the transport address of a peer as the server's relay socket sees it. It cannot be
// mistaken for a client's.
using PeerAddress = Strong<TransportAddress, struct PeerAddressTag>;

// RelayedAddress is a relayed transport address as clients and peers know it (advertised, not
// bound).
using RelayedAddress = Strong<TransportAddress, struct RelayedAddressTag>;

}  // namespace turnpike
