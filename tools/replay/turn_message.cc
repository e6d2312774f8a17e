#include "tools/replay/turn_message.h"

#include <algorithm>

#include "common/stun/channel_data.h"
#include "common/stun/message.h"

namespace turnpike::replay {
namespace {

using stun::Class;
using stun::Method;

// Sized is a message and how many bytes it takes.
struct Sized {
  TurnMessage message;
  size_t size = 0;
};

// SenderOf returns who sends messages of that type; nullopt for what is not TURN's.
std::optional<TurnSender> SenderOf(uint16_t type) {
  for (const Method method : {Method::kAllocate, Method::kRefresh, Method::kCreatePermission,
                              Method::kChannelBind, Method::kConnect}) {
    if (type == stun::MessageType(Class::kRequest, method)) return TurnSender::kClient;
    if (type == stun::MessageType(Class::kSuccessResponse, method)) return TurnSender::kServer;
    if (type == stun::MessageType(Class::kErrorResponse, method)) return TurnSender::kServer;
  }
  if (type == stun::MessageType(Class::kIndication, Method::kSend)) return TurnSender::kClient;
  if (type == stun::MessageType(Class::kIndication, Method::kData)) return TurnSender::kServer;
  return std::nullopt;
}

// ReadAttributes looks at those that were captured; false when a length contradicts the message's.
bool ReadAttributes(ByteSpan bytes, size_t size, TurnMessage& message) {
  size_t offset = stun::kHeaderSize;
  while (offset + stun::kAttributeHeaderSize <= std::min(size, bytes.size())) {
    const auto type = static_cast<stun::AttributeType>(LoadU16(bytes, offset));
    const size_t length = LoadU16(bytes, offset + 2);
    offset += stun::kAttributeHeaderSize;
    if (length > size - offset) return false;
    const ByteSpan value = bytes.subspan(offset, std::min(length, bytes.size() - offset));
    if (type == stun::AttributeType::kData && !message.has_data) {
      message.has_data = true;
      message.data_size = static_cast<uint32_t>(length);
      message.data = value;
    } else if (type == stun::AttributeType::kXorRelayedAddress) {
      stun::TransactionId id;
      std::ranges::copy(bytes.subspan(8, id.size()), id.begin());
      message.relayed = stun::DecodeXorAddress(value, id);
    }
    offset += length + stun::PaddingFor(length);
    if (offset > bytes.size()) break;
  }
  return true;
}

std::optional<Sized> ReadStun(ByteSpan bytes, size_t size) {
  if (bytes.size() < stun::kHeaderSize || LoadU32(bytes, 4) != stun::kMagicCookie) {
    return std::nullopt;
  }
  const auto sender = SenderOf(LoadU16(bytes, 0));
  Sized sized;
  sized.size = stun::kHeaderSize + LoadU16(bytes, 2);
  if (!sender || sized.size > size || sized.size % 4 != 0) return std::nullopt;
  sized.message.sender = *sender;
  if (!ReadAttributes(bytes.first(std::min(bytes.size(), sized.size)), sized.size, sized.message)) {
    return std::nullopt;
  }
  return sized;
}

std::optional<Sized> ReadChannelData(ByteSpan bytes, size_t size) {
  const size_t length = LoadU16(bytes, 2);
  Sized sized;
  sized.size = stun::kChannelHeaderSize + length;
  if (sized.size > size) return std::nullopt;
  sized.message.has_data = true;
  sized.message.data_size = static_cast<uint32_t>(length);
  const ByteSpan rest = bytes.subspan(stun::kChannelHeaderSize);
  sized.message.data = rest.first(std::min(length, rest.size()));
  return sized;
}

// ReadOne reads the message at the start of `bytes`, behind which a datagram has `size` bytes.
std::optional<Sized> ReadOne(ByteSpan bytes, size_t size) {
  if (bytes.size() < stun::kChannelHeaderSize) return std::nullopt;
  switch (stun::KindOf(bytes[0])) {
    case stun::MessageKind::kStun:
      return ReadStun(bytes, size);
    case stun::MessageKind::kChannelData:
      return ReadChannelData(bytes, size);
    case stun::MessageKind::kOther:
      break;
  }
  return std::nullopt;
}

}  // namespace

void ReadTurn(ByteSpan bytes, uint32_t size, std::vector<TurnMessage>& messages) {
  messages.clear();
  size_t offset = 0;
  while (offset == 0 || size - offset >= stun::kChannelHeaderSize) {
    const auto rest = [&](size_t from) { return bytes.subspan(std::min(from, bytes.size())); };
    auto next = ReadOne(rest(offset), size - offset);
    if (!next && offset > 0) {
      // Padding over UDP is "not required but MAY be included" (RFC 8656 §12.5).
      offset += stun::PaddingFor(offset);
      if (offset < size) next = ReadOne(rest(offset), size - offset);
    }
    if (!next) return messages.clear();
    messages.push_back(next->message);
    offset += next->size;
  }
}

}  // namespace turnpike::replay
