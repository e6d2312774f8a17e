#include "common/stun/channel_data.h"

namespace turnpike::stun {

std::optional<ChannelData> ParseChannelData(ByteSpan bytes) {
  if (bytes.size() < kChannelHeaderSize) return std::nullopt;
  const ChannelNumber channel(LoadU16(bytes, 0));
  const size_t length = LoadU16(bytes, 2);
  if (channel < kFirstChannel || channel > kLastRfc5766Channel) return std::nullopt;
  if (bytes.size() - kChannelHeaderSize < length) return std::nullopt;
  return ChannelData{channel, bytes.subspan(kChannelHeaderSize, length)};
}

std::array<uint8_t, kChannelHeaderSize> ChannelDataHeader(ChannelNumber channel, uint16_t length) {
  return {static_cast<uint8_t>(channel.value() >> 8), static_cast<uint8_t>(channel.value()),
          static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)};
}

}  // namespace turnpike::stun
