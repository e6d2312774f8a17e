// Builds captures and what is in them, byte by byte, for the tests of tools/replay.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/time.h"
#include "common/net/transport_address.h"
#include "tools/replay/capture.h"

namespace turnpike::replay {

using Bytes = std::vector<uint8_t>;

inline void Append(Bytes& to, const Bytes& more) { to.insert(to.end(), more.begin(), more.end()); }

inline Bytes Join(std::initializer_list<Bytes> parts) {
  Bytes joined;
  for (const Bytes& part : parts) Append(joined, part);
  return joined;
}

// U16 and U32 are in network order, Le16 and Le32 the other way round, as most captures have them.
inline Bytes U16(uint32_t value) {
  return {static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)};
}
inline Bytes U32(uint32_t value) { return Join({U16(value >> 16), U16(value)}); }
inline Bytes Le16(uint32_t value) {
  return {static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8)};
}
inline Bytes Le32(uint32_t value) { return Join({Le16(value), Le16(value >> 16)}); }

inline TransportAddress At(std::string_view text) { return TransportAddress::Parse(text).value(); }

// Udp is a UDP datagram with its header; the checksum is left out.
inline Bytes Udp(uint16_t from, uint16_t to, const Bytes& payload) {
  const auto length = static_cast<uint32_t>(payload.size() + 8);
  return Join({U16(from), U16(to), U16(length), U16(0), payload});
}

// Ipv4 puts a header before `rest`; `fragment` is the field with flags and offset.
inline Bytes Ipv4(const TransportAddress& from, const TransportAddress& to, uint8_t protocol,
                  const Bytes& rest, uint16_t fragment = 0x4000) {
  const ByteSpan source = from.ip.bytes();
  const ByteSpan target = to.ip.bytes();
  return Join({{0x45, 0},
               U16(static_cast<uint32_t>(rest.size() + 20)),
               U16(0),
               U16(fragment),
               {64, protocol},
               U16(0),
               {source.begin(), source.end()},
               {target.begin(), target.end()},
               rest});
}

inline Bytes Ipv6(const TransportAddress& from, const TransportAddress& to, uint8_t protocol,
                  const Bytes& rest) {
  const ByteSpan source = from.ip.bytes();
  const ByteSpan target = to.ip.bytes();
  return Join({U32(0x60000000),
               U16(static_cast<uint32_t>(rest.size())),
               {protocol, 64},
               {source.begin(), source.end()},
               {target.begin(), target.end()},
               rest});
}

inline Bytes Ethernet(uint16_t type, const Bytes& rest) {
  return Join({Bytes(12, 2), U16(type), rest});
}

// Frame is a whole Ethernet frame with a UDP datagram in it.
inline Bytes Frame(const TransportAddress& from, const TransportAddress& to, const Bytes& payload) {
  constexpr uint8_t kUdp = 17;
  const Bytes udp = Udp(from.port, to.port, payload);
  return from.ip.is_v4() ? Ethernet(0x0800, Ipv4(from, to, kUdp, udp))
                         : Ethernet(0x86DD, Ipv6(from, to, kUdp, udp));
}

// RtpPacket has `size` bytes in all.
inline Bytes RtpPacket(uint8_t payload_type, uint16_t sequence, uint32_t timestamp, uint32_t ssrc,
                       size_t size) {
  Bytes packet = Join({{0x80, payload_type}, U16(sequence), U32(timestamp), U32(ssrc)});
  packet.resize(size, 0xAB);
  return packet;
}

// StunMessage has `type` and `attributes` behind a header with the transaction id 0.
inline Bytes StunMessage(uint16_t type, const Bytes& attributes) {
  return Join({U16(type), U16(static_cast<uint32_t>(attributes.size())), U32(0x2112A442),
               Bytes(12, 0), attributes});
}

inline Bytes Attribute(uint16_t type, const Bytes& value) {
  Bytes attribute = Join({U16(type), U16(static_cast<uint32_t>(value.size())), value});
  attribute.resize((attribute.size() + 3) / 4 * 4);
  return attribute;
}

// XorAddress is the value of an XOR-RELAYED-ADDRESS of a StunMessage, IPv4.
inline Bytes XorAddress(const TransportAddress& address) {
  return Join(
      {U16(1), U16(address.port ^ 0x2112u), U32(LoadU32(address.ip.bytes(), 0) ^ 0x2112A442u)});
}

inline Bytes ChannelMessage(uint16_t channel, const Bytes& payload) {
  return Join({U16(channel), U16(static_cast<uint32_t>(payload.size())), payload});
}

constexpr uint32_t kEthernetLink = 1;

// PcapFile writes a pcap, little-endian, with nanoseconds or microseconds.
class PcapFile {
 public:
  explicit PcapFile(uint32_t link = kEthernetLink, bool nanoseconds = true)
      : nanoseconds_(nanoseconds),
        bytes_(Join({Le32(nanoseconds ? 0xA1B23C4D : 0xA1B2C3D4), Le16(2), Le16(4), Le32(0),
                     Le32(0), Le32(262'144), Le32(link)})) {}

  // Add appends a packet, of which `captured` bytes are kept; 0: all.
  void Add(Duration time, const Bytes& packet, size_t captured = 0) {
    const size_t kept = captured == 0 ? packet.size() : captured;
    const auto fraction = (time % std::chrono::seconds(1)).count();
    Append(bytes_, Le32(static_cast<uint32_t>(time / std::chrono::seconds(1))));
    Append(bytes_, Le32(static_cast<uint32_t>(nanoseconds_ ? fraction : fraction / 1000)));
    Append(bytes_, Le32(static_cast<uint32_t>(kept)));
    Append(bytes_, Le32(static_cast<uint32_t>(packet.size())));
    bytes_.insert(bytes_.end(), packet.begin(), packet.begin() + static_cast<ptrdiff_t>(kept));
  }

  Bytes& bytes() { return bytes_; }

 private:
  bool nanoseconds_;
  Bytes bytes_;
};

// OpenBytes opens `bytes`, which outlive the capture, under the name `test.pcap`.
inline std::expected<Capture, CaptureError> OpenBytes(Bytes& bytes) {
  std::FILE* const file = fmemopen(bytes.data(), bytes.size(), "rb");
  TP_CHECK(file != nullptr);
  return Capture::FromFile(file, "test.pcap");
}

}  // namespace turnpike::replay
