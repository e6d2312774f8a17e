#include "tools/replay/datagram.h"

#include <algorithm>
#include <optional>
#include <span>

namespace turnpike::replay {
namespace {

// EtherTypes (IEEE 802) and protocol numbers (IANA).
constexpr uint16_t kIpv4 = 0x0800;
constexpr uint16_t kIpv6 = 0x86DD;
constexpr uint16_t kVlan = 0x8100;
constexpr uint16_t kServiceVlan = 0x88A8;
constexpr uint16_t kOldServiceVlan = 0x9100;
constexpr uint8_t kHopByHop = 0;
constexpr uint8_t kTcp = 6;
constexpr uint8_t kUdp = 17;
constexpr uint8_t kRouting = 43;
constexpr uint8_t kFragment = 44;
constexpr uint8_t kDestinationOptions = 60;

constexpr size_t kUdpHeader = 8;

// IpPacket is what an IP header says: `rest` is what was captured of the payload, which had
// `length` bytes on the wire.
struct IpPacket {
  IpAddress from;
  IpAddress to;
  uint8_t protocol = 0;
  size_t length = 0;
  ByteSpan rest;
};

// FromIp returns the packet from its IP header on, nullopt when it has none.
std::optional<ByteSpan> FromIp(LinkType link_type, ByteSpan packet) {
  ByteReader reader(packet);
  std::optional<uint16_t> type;
  switch (link_type) {
    case LinkType::kRaw:
      return packet;
    case LinkType::kNull:
      if (!reader.ReadU32()) return std::nullopt;
      return packet.subspan(reader.position());
    case LinkType::kEthernet:
      if (!reader.ReadBytes(12)) return std::nullopt;
      type = reader.ReadU16();
      break;
    case LinkType::kSll:
      if (!reader.ReadBytes(14)) return std::nullopt;
      type = reader.ReadU16();
      break;
    case LinkType::kSll2:
      type = reader.ReadU16();
      if (!reader.ReadBytes(18)) return std::nullopt;
      break;
  }
  while (type == kVlan || type == kServiceVlan || type == kOldServiceVlan) {
    if (!reader.ReadU16()) return std::nullopt;
    type = reader.ReadU16();
  }
  if (type != kIpv4 && type != kIpv6) return std::nullopt;
  return packet.subspan(reader.position());
}

// Captured returns the first `length` bytes, or as many as there are.
ByteSpan Captured(ByteSpan bytes, size_t length) {
  return bytes.first(std::min(bytes.size(), length));
}

// RFC 791 §3.1.
std::expected<IpPacket, Skip> ReadIpv4(ByteSpan bytes) {
  constexpr size_t kHeader = 20;
  constexpr uint16_t kMoreOrOffset = 0x3FFF;
  if (bytes.size() < kHeader) return std::unexpected(Skip::kCutShort);
  const size_t header = size_t{4} * (bytes[0] & 0x0F);
  const size_t total = LoadU16(bytes, 2);
  if (header < kHeader || total < header) return std::unexpected(Skip::kMalformed);
  IpPacket packet;
  packet.protocol = bytes[9];
  packet.from = IpAddress::V4(bytes.subspan<12, 4>());
  packet.to = IpAddress::V4(bytes.subspan<16, 4>());
  if (packet.protocol == kUdp && (LoadU16(bytes, 6) & kMoreOrOffset) != 0) {
    return std::unexpected(Skip::kFragment);
  }
  if (bytes.size() < header) return std::unexpected(Skip::kCutShort);
  packet.length = total - header;
  packet.rest = Captured(bytes.subspan(header), packet.length);
  return packet;
}

// SkipExtensions takes IPv6 extension headers off (RFC 8200 §4).
std::expected<void, Skip> SkipExtensions(IpPacket& packet) {
  while (packet.protocol == kHopByHop || packet.protocol == kRouting ||
         packet.protocol == kDestinationOptions) {
    if (packet.rest.size() < 2) return std::unexpected(Skip::kCutShort);
    const size_t size = size_t{8} * (packet.rest[1] + 1);
    if (size > packet.length) return std::unexpected(Skip::kMalformed);
    if (size > packet.rest.size()) return std::unexpected(Skip::kCutShort);
    packet.protocol = packet.rest[0];
    packet.rest = packet.rest.subspan(size);
    packet.length -= size;
  }
  if (packet.protocol == kFragment) return std::unexpected(Skip::kFragment);
  return {};
}

// RFC 8200 §3.
std::expected<IpPacket, Skip> ReadIpv6(ByteSpan bytes) {
  constexpr size_t kHeader = 40;
  if (bytes.size() < kHeader) return std::unexpected(Skip::kCutShort);
  IpPacket packet;
  packet.length = LoadU16(bytes, 4);
  packet.protocol = bytes[6];
  packet.from = IpAddress::V6(bytes.subspan<8, 16>());
  packet.to = IpAddress::V6(bytes.subspan<24, 16>());
  packet.rest = Captured(bytes.subspan(kHeader), packet.length);
  if (const auto ok = SkipExtensions(packet); !ok) return std::unexpected(ok.error());
  return packet;
}

}  // namespace

std::string_view SkipName(Skip skip) {
  switch (skip) {
    case Skip::kNotIp:
      return "not IP";
    case Skip::kTcp:
      return "TCP";
    case Skip::kNotUdp:
      return "IP, but neither UDP nor TCP";
    case Skip::kFragment:
      return "IP fragments";
    case Skip::kMalformed:
      return "malformed";
    case Skip::kCutShort:
      return "captured without their UDP header";
    case Skip::kTooLarge:
      break;
  }
  return "too large for a relay";
}

std::expected<Datagram, Skip> DecodeDatagram(LinkType link_type, ByteSpan packet) {
  const auto bytes = FromIp(link_type, packet);
  if (!bytes) return std::unexpected(Skip::kNotIp);
  if (bytes->empty()) return std::unexpected(Skip::kCutShort);
  const int version = (*bytes)[0] >> 4;
  if (version != 4 && version != 6) return std::unexpected(Skip::kNotIp);
  const auto ip = version == 4 ? ReadIpv4(*bytes) : ReadIpv6(*bytes);
  if (!ip) return std::unexpected(ip.error());
  if (ip->protocol == kTcp) return std::unexpected(Skip::kTcp);
  if (ip->protocol != kUdp) return std::unexpected(Skip::kNotUdp);
  if (ip->rest.size() < kUdpHeader) {
    return std::unexpected(ip->length < kUdpHeader ? Skip::kMalformed : Skip::kCutShort);
  }
  const size_t length = LoadU16(ip->rest, 4);
  if (length < kUdpHeader || length > ip->length) return std::unexpected(Skip::kMalformed);
  if (length - kUdpHeader > kLargestPayload) return std::unexpected(Skip::kTooLarge);
  return Datagram{{ip->from, LoadU16(ip->rest, 0)},
                  {ip->to, LoadU16(ip->rest, 2)},
                  static_cast<uint32_t>(length - kUdpHeader),
                  Captured(ip->rest, length).subspan(kUdpHeader)};
}

}  // namespace turnpike::replay
