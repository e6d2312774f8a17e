#include "common/stun/message.h"

#include <algorithm>
#include <initializer_list>

namespace turnpike::stun {
namespace {

constexpr size_t kMaxUnknown = 16;

// The class bits of RFC 8489 §5 figure 3 lie between the method's: M11..M7 C1 M6..M4 C0 M3..M0.
constexpr Class ClassOf(uint16_t type) {
  return static_cast<Class>((type >> 7 & 0b10) | (type >> 4 & 0b01));
}

constexpr Method MethodOf(uint16_t type) {
  return static_cast<Method>((type & 0x000F) | (type & 0x00E0) >> 1 | (type & 0x3E00) >> 2);
}

}  // namespace

std::string_view MethodName(Method method) {
  switch (method) {
    case Method::kBinding:
      return "binding";
    case Method::kAllocate:
      return "allocate";
    case Method::kRefresh:
      return "refresh";
    case Method::kSend:
      return "send";
    case Method::kData:
      return "data";
    case Method::kCreatePermission:
      return "create_permission";
    case Method::kChannelBind:
      return "channel_bind";
    case Method::kConnect:
      return "connect";
    case Method::kConnectionBind:
      return "connection_bind";
    case Method::kConnectionAttempt:
      return "connection_attempt";
  }
  return "unknown";
}

std::string_view ClassName(Class message_class) {
  switch (message_class) {
    case Class::kRequest:
      return "request";
    case Class::kIndication:
      return "indication";
    case Class::kSuccessResponse:
      return "success";
    case Class::kErrorResponse:
      break;
  }
  return "error";
}

uint16_t MessageType(Class message_class, Method method) {
  const auto c = static_cast<unsigned>(message_class);
  const auto m = static_cast<unsigned>(method);
  return static_cast<uint16_t>((m & 0x00F) | (m & 0x070) << 1 | (m & 0xF80) << 2 | (c & 0b01) << 4 |
                               (c & 0b10) << 7);
}

std::string_view ParseErrorName(ParseError error) {
  switch (error) {
    case ParseError::kTooShort:
      return "too_short";
    case ParseError::kNotStun:
      return "not_stun";
    case ParseError::kBadLength:
      return "bad_length";
    case ParseError::kBadAttribute:
      return "bad_attribute";
    case ParseError::kBadFingerprint:
      break;
  }
  return "bad_fingerprint";
}

std::expected<MessageView, ParseError> MessageView::Parse(ByteSpan bytes) {
  if (bytes.size() < kHeaderSize) return std::unexpected(ParseError::kTooShort);
  const uint16_t type = LoadU16(bytes, 0);
  if ((type & 0xC000) != 0 || LoadU32(bytes, 4) != kMagicCookie) {
    return std::unexpected(ParseError::kNotStun);
  }
  const size_t length = LoadU16(bytes, 2);
  if (length % 4 != 0) return std::unexpected(ParseError::kBadLength);
  if (bytes.size() < kHeaderSize + length) return std::unexpected(ParseError::kTooShort);
  if (bytes.size() > kHeaderSize + length) return std::unexpected(ParseError::kBadLength);
  MessageView view;
  view.bytes_ = bytes;
  view.class_ = ClassOf(type);
  view.method_ = MethodOf(type);
  std::ranges::copy(bytes.subspan(8, view.transaction_id_.size()), view.transaction_id_.begin());
  if (const auto parsed = view.ParseAttributes(); !parsed) return std::unexpected(parsed.error());
  return view;
}

std::expected<void, ParseError> MessageView::ParseAttributes() {
  using enum AttributeType;
  shown_end_ = bytes_.size();
  size_t offset = kHeaderSize;
  while (offset < bytes_.size()) {
    // The total is a multiple of 4 and so is every step: at least an attribute's header is left.
    const size_t start = offset;
    const size_t length = LoadU16(bytes_, start + 2);
    const size_t size = kAttributeHeaderSize + length + PaddingFor(length);
    if (bytes_.size() - start < size) return std::unexpected(ParseError::kBadAttribute);
    offset += size;
    const auto type = static_cast<AttributeType>(LoadU16(bytes_, start));
    if (type == kMessageIntegrity) {
      // Behind MESSAGE-INTEGRITY-SHA256 everything but FINGERPRINT is ignored (§14.6).
      if (integrity_offset_ == 0 && integrity_sha256_offset_ == 0) integrity_offset_ = start;
      shown_end_ = std::min(shown_end_, start);
    } else if (type == kMessageIntegritySha256) {
      if (integrity_sha256_offset_ == 0) integrity_sha256_offset_ = start;
      shown_end_ = std::min(shown_end_, start);
    } else if (type == kFingerprint) {
      // "When present, the FINGERPRINT attribute MUST be the last attribute in the message"
      // (§14.7).
      if (length != 4 || offset != bytes_.size() ||
          LoadU32(bytes_, start + kAttributeHeaderSize) !=
              (Crc32(bytes_.first(start)) ^ kFingerprintXor)) {
        return std::unexpected(ParseError::kBadFingerprint);
      }
      has_fingerprint_ = true;
      shown_end_ = std::min(shown_end_, start);
    }
  }
  return {};
}

std::optional<ByteSpan> MessageView::Find(AttributeType type) const {
  size_t offset = kHeaderSize;
  while (offset < shown_end_) {
    const Attribute attribute = Next(offset);
    if (attribute.type == type) return attribute.value;
  }
  return std::nullopt;
}

std::vector<AttributeType> MessageView::UnknownRequired() const {
  std::vector<AttributeType> unknown;
  ForEach([&](const Attribute& attribute) {
    if (!IsComprehensionRequired(attribute.type) || unknown.size() == kMaxUnknown) return;
    const AttributeInfo* info = FindAttributeInfo(attribute.type);
    if (info != nullptr && info->understood_by_server) return;
    if (std::ranges::find(unknown, attribute.type) == unknown.end()) {
      unknown.push_back(attribute.type);
    }
  });
  return unknown;
}

MessageView::MacInput MessageView::MacInputAt(size_t offset) const {
  size_t end = offset;
  const ByteSpan mac = Next(end).value;
  // "the Length field ... is adjusted to point to the end of the MESSAGE-INTEGRITY attribute"
  // (§14.5): what follows, a second MAC or FINGERPRINT, was not there when this one was computed.
  const size_t length = end - kHeaderSize;
  return {bytes_.first(2),
          {static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)},
          bytes_.subspan(4, offset - 4),
          mac};
}

bool MessageView::VerifyIntegrity(ByteSpan key) const {
  if (!has_integrity()) return false;
  const MacInput input = MacInputAt(integrity_offset_);
  return EqualConstantTime(HmacSha1(key, {input.type, input.length, input.rest}), input.mac);
}

bool MessageView::VerifyIntegritySha256(ByteSpan key) const {
  if (!has_integrity_sha256()) return false;
  const MacInput input = MacInputAt(integrity_sha256_offset_);
  if (!HasValidShape(AttributeType::kMessageIntegritySha256, input.mac)) return false;
  const Sha256Mac mac = HmacSha256(key, {input.type, input.length, input.rest});
  return EqualConstantTime(ByteSpan(mac).first(input.mac.size()), input.mac);
}

std::string_view ErrorPhrase(uint16_t code) {
  switch (code) {
    case 300:
      return "Try Alternate";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthenticated";
    case 403:
      return "Forbidden";
    case 405:
      return "Mobility Forbidden";
    case 420:
      return "Unknown Attribute";
    case 437:
      return "Allocation Mismatch";
    case 438:
      return "Stale Nonce";
    case 440:
      return "Address Family not Supported";
    case 441:
      return "Wrong Credentials";
    case 442:
      return "Unsupported Transport Protocol";
    case 443:
      return "Peer Address Family Mismatch";
    case 446:
      return "Connection Already Exists";
    case 447:
      return "Connection Timeout or Failure";
    case 486:
      return "Allocation Quota Reached";
    case 487:
      return "Role Conflict";
    case 500:
      return "Server Error";
    case 508:
      return "Insufficient Capacity";
    default:
      return "";
  }
}

}  // namespace turnpike::stun
