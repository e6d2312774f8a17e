#include "server/turn/nesting.h"

#include <optional>

#include "common/stun/channel_data.h"
#include "common/stun/message.h"

namespace turnpike {
namespace {

// Unwrap returns what a relay wrapped to make `payload`, or nullopt when none did.
std::optional<ByteSpan> Unwrap(ByteSpan payload) {
  if (payload.size() < stun::kChannelHeaderSize) return std::nullopt;
  if (stun::KindOf(payload[0]) == stun::MessageKind::kChannelData) {
    const auto message = stun::ParseChannelData(payload);
    // Padding is all that may follow.
    if (!message || payload.size() - stun::kChannelHeaderSize - message->payload.size() > 3) {
      return std::nullopt;
    }
    return message->payload;
  }
  // Most of what is neither ends here, at its first byte.
  constexpr uint16_t kDataIndication = 0x0017;
  if (LoadU16(payload, 0) != kDataIndication) return std::nullopt;
  const auto message = stun::MessageView::Parse(payload);
  return message ? message->Find(stun::AttributeType::kData) : std::nullopt;
}

}  // namespace

int NestingDepth(ByteSpan payload, int limit) {
  int depth = 0;
  while (depth < limit) {
    const auto inner = Unwrap(payload);
    if (!inner) break;
    payload = *inner;
    ++depth;
  }
  return depth;
}

}  // namespace turnpike
