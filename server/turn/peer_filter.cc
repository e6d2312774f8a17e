#include "server/turn/peer_filter.h"

#include <algorithm>
#include <array>
#include <utility>

namespace turnpike {
namespace {

// Range is a CIDR range with its base in network order; bytes that are not written are zero.
struct Range {
  std::array<uint8_t, 16> base;
  int prefix_bits;
};

// What nobody may reach unless `allow` opens it.
constexpr Range kClosedIpv4[] = {
    {{0}, 8},                  // this host on this network: RFC 1122 §3.2.1.3
    {{10}, 8},                 // private: RFC 1918
    {{100, 64}, 10},           // shared, CGNAT: RFC 6598
    {{127}, 8},                // loopback: RFC 1122 §3.2.1.3
    {{168, 63, 129, 16}, 32},  // the one public address that is a cloud's platform service: Azure
    {{169, 254}, 16},          // link-local, cloud metadata with it: RFC 3927
    {{172, 16}, 12},           // private: RFC 1918
    {{192, 0, 0}, 24},         // IETF protocol assignments: RFC 6890 §2.1
    {{192, 0, 2}, 24},         // documentation, TEST-NET-1: RFC 5737
    {{192, 88, 99}, 24},       // 6to4 relay anycast, deprecated: RFC 7526
    {{192, 168}, 16},          // private: RFC 1918
    {{198, 18}, 15},           // benchmarking: RFC 2544
    {{198, 51, 100}, 24},      // documentation, TEST-NET-2: RFC 5737
    {{203, 0, 113}, 24},       // documentation, TEST-NET-3: RFC 5737
    {{224}, 4},                // multicast: RFC 5771
    {{240}, 4},                // reserved: RFC 1112 §4; limited broadcast with it: RFC 919 §7
};
constexpr Range kClosedIpv6[] = {
    // Only 2000::/3 is global unicast; the rest is reserved: RFC 4291 §2.4. The three ranges around
    // it hold ::/128 and ::1/128 (§2.5.2, §2.5.3), 100::/64 (discard: RFC 6666), 64:ff9b:1::/48
    // (local-use NAT64: RFC 8215), 5f00::/16 (segment routing: RFC 9602), fc00::/7 (unique-local:
    // RFC 4193), fe80::/10 (link-local: RFC 4291 §2.5.6), fec0::/10 (site-local: RFC 3879) and
    // ff00::/8 (multicast: RFC 4291 §2.7).
    {{0x00}, 3},
    {{0x40}, 2},
    {{0x80}, 1},
    {{0x20, 0x01, 0x00, 0x02}, 48},  // benchmarking: RFC 5180
    {{0x20, 0x01, 0x00, 0x10}, 28},  // ORCHID: identifiers, not locators: RFC 4843
    {{0x20, 0x01, 0x00, 0x20}, 28},  // ORCHIDv2: RFC 7343
    {{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation: RFC 3849
    {{0x3f, 0xff}, 20},              // documentation: RFC 9637
};

// Forms that carry IPv4 addresses.
constexpr Range kMapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};  // RFC 4291 §2.5.5.2
constexpr Range kCompatible = {{0}, 96};                                     // RFC 4291 §2.5.5.1
constexpr Range kNat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};                     // RFC 6052 §2.1
constexpr Range kLocalNat64 = {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48};    // RFC 8215
constexpr Range k6to4 = {{0x20, 0x02}, 16};                                  // RFC 3056 §2
constexpr Range kTeredo = {{0x20, 0x01, 0x00, 0x00}, 32};                    // RFC 4380 §4

bool Contains(const Range& range, ByteSpan address) {
  const auto whole = static_cast<size_t>(range.prefix_bits / 8);
  if (!std::equal(address.begin(), address.begin() + static_cast<ptrdiff_t>(whole),
                  range.base.begin())) {
    return false;
  }
  const int rest = range.prefix_bits % 8;
  return rest == 0 || (address[whole] ^ range.base[whole]) >> (8 - rest) == 0;
}

IpAddress Ipv4At(ByteSpan address, std::array<size_t, 4> offsets, uint8_t mask = 0) {
  std::array<uint8_t, 4> bytes;
  for (size_t i = 0; i < 4; ++i) bytes[i] = static_cast<uint8_t>(address[offsets[i]] ^ mask);
  return IpAddress::V4(bytes);
}

// LocalNat64Readings reads an address of 64:ff9b:1::/48 under every prefix length that RFC 6052
// §2.2 lets a network choose inside it, since only its translator knows which one holds. 0.0.0.0/8
// is no destination: it is how the zeros of a /96 address look under a shorter prefix, so it is
// left out.
std::vector<IpAddress> LocalNat64Readings(ByteSpan address) {
  std::vector<IpAddress> readings = {Ipv4At(address, {12, 13, 14, 15})};
  constexpr std::array<std::array<size_t, 4>, 3> kShorter = {
      {{6, 7, 9, 10}, {7, 9, 10, 11}, {9, 10, 11, 12}}};
  for (const auto& offsets : kShorter) {
    if (address[offsets[0]] != 0) readings.push_back(Ipv4At(address, offsets));
  }
  return readings;
}

// IsClosedByDefault judges the address as it stands. The spellings of IPv4 under ::ffff:0:0/96 and
// 64:ff9b::/96 are judged by what is embedded alone: they lead nowhere else.
bool IsClosedByDefault(const IpAddress& ip) {
  const ByteSpan address = ip.bytes();
  const auto contains = [&](const Range& range) { return Contains(range, address); };
  if (ip.is_v4()) return std::ranges::any_of(kClosedIpv4, contains);
  if (contains(kMapped) || contains(kNat64)) return false;
  return std::ranges::any_of(kClosedIpv6, contains);
}

bool HasAddress(const std::vector<IpAddress>& list, const IpAddress& ip) {
  return std::ranges::find(list, ip) != list.end();
}

}  // namespace

PeerFilter::PeerFilter(Options options) : options_(std::move(options)) {
  for (TransportAddress& listener : options_.listeners) listener.ip = listener.ip.Unmapped();
  for (IpAddress& ip : options_.local_addresses) ip = ip.Unmapped();
  for (IpAddress& ip : options_.relay_addresses) ip = ip.Unmapped();
}

bool PeerFilter::PermitsAddress(const IpAddress& ip) const {
  if (!IsOpen(ip, std::nullopt)) return false;
  if (ip.is_v4()) return true;
  return std::ranges::all_of(EmbeddedIpv4(ip),
                             [&](const IpAddress& ipv4) { return IsOpen(ipv4, std::nullopt); });
}

bool PeerFilter::Permits(const TransportAddress& peer) const {
  if (!IsOpen(peer.ip, peer.port)) return false;
  if (peer.ip.is_v4()) return true;
  return std::ranges::all_of(EmbeddedIpv4(peer.ip),
                             [&](const IpAddress& ipv4) { return IsOpen(ipv4, peer.port); });
}

// IsOpen judges one address by itself; without a port it asks whether any port may be open.
bool PeerFilter::IsOpen(const IpAddress& ip, std::optional<uint16_t> port) const {
  if (options_.deny.Contains(ip)) return false;
  if (port && IsOwnListener(ip, *port)) return false;
  if (IsRelayAddress(ip) &&
      (!port || (*port >= options_.min_relay_port && *port <= options_.max_relay_port))) {
    return true;
  }
  if (!IsOwnAddress(ip) && !IsClosedByDefault(ip)) return true;
  return options_.allow.Contains(ip);
}

bool PeerFilter::IsOwnListener(const IpAddress& ip, uint16_t port) const {
  for (const TransportAddress& listener : options_.listeners) {
    if (listener.port != port) continue;
    if (listener.ip == ip) return true;
    if (listener.ip.is_unspecified() && IsOwnAddress(ip)) return true;
    // Behind a 1:1 NAT a bound address and its advertised one are the same place.
    if (IsRelayAddress(listener.ip) && IsRelayAddress(ip)) return true;
  }
  return false;
}

bool PeerFilter::IsRelayAddress(const IpAddress& ip) const {
  return HasAddress(options_.relay_addresses, ip);
}

// IsOwnAddress also knows what means "this host" everywhere, on whatever interface.
bool PeerFilter::IsOwnAddress(const IpAddress& ip) const {
  if (IsRelayAddress(ip) || HasAddress(options_.local_addresses, ip)) return true;
  const ByteSpan address = ip.bytes();
  if (ip.is_v4()) return address[0] == 0 || address[0] == 127;
  return std::all_of(address.begin(), address.end() - 1, [](uint8_t byte) { return byte == 0; }) &&
         address[15] <= 1;
}

std::vector<IpAddress> EmbeddedIpv4(const IpAddress& ip) {
  if (ip.is_v4()) return {};
  const ByteSpan address = ip.bytes();
  if (Contains(kCompatible, address) && LoadU32(address, 12) <= 1) return {};  // :: and ::1
  if (Contains(kMapped, address) || Contains(kCompatible, address) || Contains(kNat64, address)) {
    return {Ipv4At(address, {12, 13, 14, 15})};
  }
  if (Contains(kLocalNat64, address)) return LocalNat64Readings(address);
  if (Contains(k6to4, address)) return {Ipv4At(address, {2, 3, 4, 5})};
  // The client stands in a Teredo address with its bits inverted.
  if (Contains(kTeredo, address)) {
    return {Ipv4At(address, {4, 5, 6, 7}), Ipv4At(address, {12, 13, 14, 15}, 0xFF)};
  }
  return {};
}

}  // namespace turnpike
