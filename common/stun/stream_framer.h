// Cuts a byte stream into STUN and ChannelData messages (RFC 8489 §6.2.2, RFC 8656 §12.5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

#include "common/base/bytes.h"

namespace turnpike::stun {

// FrameError says why a stream cannot be understood any further; the connection must be closed.
enum class FrameError : uint8_t {
  kNotTurn,    // the first two bits are 10 or 11, or a STUN header lacks the magic cookie
  kBadLength,  // a STUN length that is not a multiple of 4
};

// Frame is the next message of a stream. `message` views the input without trailing padding;
// `consumed` counts the input bytes it took, padding included, and is never 0.
struct Frame {
  ByteSpan message;
  size_t consumed = 0;
};

// kMaxFrameSize is the largest message a stream can carry: 20 or 4 bytes of header, a 16-bit length
// and padding. A receive buffer of this size always holds one whole message.
inline constexpr size_t kMaxFrameSize = 20 + 65535 + 3;

// NextFrame returns the first message in `stream`, nullopt when more bytes are needed, or an error
// as soon as the first bytes show that it is neither STUN nor ChannelData. It keeps no state: the
// caller drops `consumed` bytes and asks again.
std::expected<std::optional<Frame>, FrameError> NextFrame(ByteSpan stream);

}  // namespace turnpike::stun
