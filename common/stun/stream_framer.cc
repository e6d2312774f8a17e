#include "common/stun/stream_framer.h"

#include <algorithm>

#include "common/stun/channel_data.h"
#include "common/stun/message.h"

namespace turnpike::stun {
namespace {

using Result = std::expected<std::optional<Frame>, FrameError>;

constexpr std::array<uint8_t, 4> kCookieBytes = {0x21, 0x12, 0xA4, 0x42};

Result NextStun(ByteSpan stream) {
  // The cookie is checked as far as it has come: what is not TURN must not tie up a connection
  // until a length that it never meant has arrived.
  if (stream.size() > 4) {
    const ByteSpan cookie = stream.subspan(4, std::min<size_t>(4, stream.size() - 4));
    if (!std::equal(cookie.begin(), cookie.end(), kCookieBytes.begin())) {
      return std::unexpected(FrameError::kNotTurn);
    }
  }
  if (stream.size() < 4) return std::nullopt;
  const size_t length = LoadU16(stream, 2);
  if (length % 4 != 0) return std::unexpected(FrameError::kBadLength);
  const size_t total = kHeaderSize + length;
  if (stream.size() < total) return std::nullopt;
  return Frame{stream.first(total), total};
}

Result NextChannelData(ByteSpan stream) {
  if (stream.size() < kChannelHeaderSize) return std::nullopt;
  const size_t size = kChannelHeaderSize + LoadU16(stream, 2);
  const size_t padded = size + PaddingFor(size);
  if (stream.size() < padded) return std::nullopt;
  return Frame{stream.first(size), padded};
}

}  // namespace

Result NextFrame(ByteSpan stream) {
  if (stream.empty()) return std::nullopt;
  switch (stream[0] >> 6) {
    case 0b00:
      return NextStun(stream);
    case 0b01:
      // 0x50–0x7F are reserved channel numbers: the frame is whole, and whoever parses it drops it.
      return NextChannelData(stream);
    default:
      return std::unexpected(FrameError::kNotTurn);
  }
}

}  // namespace turnpike::stun
