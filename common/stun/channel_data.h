// The ChannelData message (RFC 8656 §12.4).
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |         Channel Number        |            Length             |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   /                       Application Data                        /
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/base/bytes.h"
#include "common/base/strong.h"

namespace turnpike::stun {

using ChannelNumber = Strong<uint16_t, struct ChannelNumberTag>;

inline constexpr ChannelNumber kFirstChannel{0x4000};
inline constexpr ChannelNumber kLastChannel{0x4FFF};  // RFC 8656 §12: 0x5000 and up are reserved
// RFC 5766 §11 went further, and clients written to it still do: coturn's turnutils_uclient picks
// any number up to here. What is not bound is dropped all the same.
inline constexpr ChannelNumber kLastRfc5766Channel{0x7FFF};
inline constexpr size_t kChannelHeaderSize = 4;

// MessageKind is what the first byte of a message promises (RFC 8656 §12, with RFC 5766's
// channels).
enum class MessageKind : uint8_t { kStun, kChannelData, kOther };
constexpr MessageKind KindOf(uint8_t first_byte) {
  if (first_byte <= 0x03) return MessageKind::kStun;
  if (first_byte >= 0x40 && first_byte <= 0x7F) return MessageKind::kChannelData;
  return MessageKind::kOther;
}

// ChannelData is a parsed message: `payload` views the input, padding left out.
struct ChannelData {
  ChannelNumber channel;
  ByteSpan payload;
};

// ParseChannelData reads one message. Bytes after the payload are padding and ignored (§12.6: "If
// ... more bytes than the length field, then the remaining are discarded"). nullopt when the length
// runs past the end or the number is outside 0x4000–0x7FFF.
std::optional<ChannelData> ParseChannelData(ByteSpan bytes);

// ChannelDataHeader returns the four bytes that stand before a payload of `length` bytes.
std::array<uint8_t, kChannelHeaderSize> ChannelDataHeader(ChannelNumber channel, uint16_t length);

// PaddingFor returns how many bytes pad `length` to a multiple of four: STUN attributes always,
// ChannelData on streams (§12.5).
constexpr size_t PaddingFor(size_t length) { return (4 - length % 4) % 4; }

}  // namespace turnpike::stun
