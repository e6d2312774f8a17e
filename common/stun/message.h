// STUN messages: a view that parses without copying, and a builder.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |0 0|     STUN Message Type     |         Message Length        |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |                         Magic Cookie                          |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |                     Transaction ID (96 bits)                  |
//   |                                                               |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   RFC 8489 §5
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/stun/attributes.h"
#include "common/stun/channel_data.h"
#include "common/stun/integrity.h"

namespace turnpike::stun {

inline constexpr uint32_t kMagicCookie = 0x2112A442;
inline constexpr size_t kHeaderSize = 20;
inline constexpr size_t kAttributeHeaderSize = 4;
inline constexpr uint32_t kFingerprintXor = 0x5354554E;  // RFC 8489 §14.7: "STUN"

enum class Class : uint8_t { kRequest, kIndication, kSuccessResponse, kErrorResponse };

enum class Method : uint16_t {
  kBinding = 0x001,
  kAllocate = 0x003,
  kRefresh = 0x004,
  kSend = 0x006,
  kData = 0x007,
  kCreatePermission = 0x008,
  kChannelBind = 0x009,
  kConnect = 0x00A,
  kConnectionBind = 0x00B,
  kConnectionAttempt = 0x00C,
};

// MethodName returns the RFC's spelling in lower snake case (`create_permission`), or `unknown`: a
// bounded set, fit for a metric's label.
std::string_view MethodName(Method method);

// ClassName returns `request`, `indication`, `success` or `error`.
std::string_view ClassName(Class message_class);

// MessageType joins class and method into the 14 bits of RFC 8489 §5.
uint16_t MessageType(Class message_class, Method method);

// ParseError says why bytes are not a STUN message. Such bytes are silently discarded and counted
// (RFC 8489 §6.3: "the message is silently discarded").
enum class ParseError : uint8_t {
  kTooShort,        // less than a header, or less than the header's length says
  kNotStun,         // the first two bits are not zero, or the magic cookie is missing
  kBadLength,       // length not a multiple of 4, or bytes after the message
  kBadAttribute,    // an attribute runs past the end of the message
  kBadFingerprint,  // FINGERPRINT is there and wrong, or is not the last attribute
};
std::string_view ParseErrorName(ParseError error);

// Attribute is one attribute of a parsed message. `value` views the message without its padding.
struct Attribute {
  AttributeType type;
  ByteSpan value;
};

// MessageView is a parsed STUN message. It views the bytes it was parsed from, which must outlive
// it.
//
// Which attributes it shows: those before MESSAGE-INTEGRITY (or, without one, before
// MESSAGE-INTEGRITY-SHA256 or FINGERPRINT), since what follows is not protected and must be ignored
// (RFC 8489 §14.5, §14.6). The integrity attributes and FINGERPRINT are reached through their own
// accessors. Of an attribute that appears twice only the first counts (§14).
class MessageView {
 public:
  // Parse checks header, attribute boundaries and FINGERPRINT (when present; §14.7), nothing else:
  // shapes of values are the business of whoever reads them. `bytes` must be exactly one message.
  static std::expected<MessageView, ParseError> Parse(ByteSpan bytes);

  Class message_class() const { return class_; }
  Method method() const { return method_; }
  const TransactionId& transaction_id() const { return transaction_id_; }
  ByteSpan bytes() const { return bytes_; }

  // Find returns the value of the first attribute of `type` among those shown, else nullopt.
  std::optional<ByteSpan> Find(AttributeType type) const;

  // ForEach calls `visit(Attribute)` for every attribute shown, in wire order, repeats included.
  template <typename Visitor>
  void ForEach(Visitor visit) const {
    size_t offset = kHeaderSize;
    while (offset < shown_end_) visit(Next(offset));
  }

  // UnknownRequired lists the comprehension-required types shown that the server does not
  // understand, each once, in wire order: what a 420 must name (§6.3.1). At most 16 are listed.
  std::vector<AttributeType> UnknownRequired() const;

  // has_integrity, has_integrity_sha256 and has_fingerprint say what the sender put in.
  bool has_integrity() const { return integrity_offset_ != 0; }
  bool has_integrity_sha256() const { return integrity_sha256_offset_ != 0; }
  bool has_fingerprint() const { return has_fingerprint_; }

  // VerifyIntegrity recomputes MESSAGE-INTEGRITY under `key` and compares in constant time; false
  // also when it is absent or has the wrong length. VerifyIntegritySha256 does the same for
  // MESSAGE-INTEGRITY-SHA256, truncated to 16..32 bytes in steps of four (§14.6).
  bool VerifyIntegrity(ByteSpan key) const;
  bool VerifyIntegritySha256(ByteSpan key) const;

 private:
  MessageView() = default;

  // ParseAttributes walks the attributes once, checks their boundaries and remembers the places of
  // the integrity attributes.
  std::expected<void, ParseError> ParseAttributes();

  // Next returns the attribute at `offset` and moves `offset` to the one after it. Parse has
  // checked the boundaries.
  Attribute Next(size_t& offset) const {
    const auto type = static_cast<AttributeType>(LoadU16(bytes_, offset));
    const size_t length = LoadU16(bytes_, offset + 2);
    const ByteSpan value = bytes_.subspan(offset + kAttributeHeaderSize, length);
    offset += kAttributeHeaderSize + length + PaddingFor(length);
    return {type, value};
  }

  // MacInput returns the two parts of the message around its length field that the attribute at
  // `offset` authenticates; the length between them must count up to the end of that attribute.
  struct MacInput {
    ByteSpan type;
    std::array<uint8_t, 2> length;
    ByteSpan rest;
    ByteSpan mac;  // the attribute's value
  };
  MacInput MacInputAt(size_t offset) const;

  ByteSpan bytes_;
  Class class_ = Class::kRequest;
  Method method_ = Method::kBinding;
  TransactionId transaction_id_{};
  size_t shown_end_ = 0;         // offset behind the last attribute shown
  size_t integrity_offset_ = 0;  // of the attribute's header; 0: absent
  size_t integrity_sha256_offset_ = 0;
  bool has_fingerprint_ = false;
};

// IntegrityKind says which attribute protects a message.
enum class IntegrityKind : uint8_t { kSha1, kSha256 };

// MessageBuilder writes one STUN message into a buffer that must outlive it. Padding is always
// zero. A message that does not fit makes the Finish functions return an empty span: size buffers
// with `kMaxMessageSize`, and it cannot happen.
class MessageBuilder {
 public:
  // kMaxMessageSize holds every message that Turnpike builds, application data apart: below the
  // IPv6 minimum MTU less IP and UDP headers.
  static constexpr size_t kMaxMessageSize = 1232;

  MessageBuilder(std::span<uint8_t> buffer, Class message_class, Method method,
                 const TransactionId& id);

  // size counts the bytes written so far, header included.
  size_t size() const { return writer_.size(); }

  void AddBytes(AttributeType type, ByteSpan value);
  void AddText(AttributeType type, std::string_view text) { AddBytes(type, AsBytes(text)); }
  void AddFlag(AttributeType type) { AddBytes(type, {}); }
  void AddU32(AttributeType type, uint32_t value);

  // AddAddress writes the plain form (§14.1), AddXorAddress the XOR form (§14.2).
  void AddAddress(AttributeType type, const TransportAddress& address);
  void AddXorAddress(AttributeType type, const TransportAddress& address);

  // AddErrorCode writes ERROR-CODE with the RFC's phrase for `code` (§14.8).
  void AddErrorCode(uint16_t code);

  // AddUnknownAttributes writes the list that goes with a 420 (§14.13).
  void AddUnknownAttributes(std::span<const AttributeType> types);

  // FinishWithIntegrity appends MESSAGE-INTEGRITY or its SHA-256 form under `key`, then FINGERPRINT
  // if asked, and returns the message: a view into the buffer.
  ByteSpan FinishWithIntegrity(IntegrityKind kind, ByteSpan key, bool fingerprint);

  // FinishUnauthenticated returns the message without integrity. Nobody can trust what it says:
  // only for Binding responses, indications, and errors sent before the client is known.
  ByteSpan FinishUnauthenticated(bool fingerprint);

  // FinishBeforeData appends the header of a DATA attribute of `payload_size` bytes, the last of an
  // indication, and returns the message up to there. The caller sends the payload right behind it
  // and then `PaddingFor(payload_size)` zero bytes, on every transport: that way nobody copies a
  // payload. A payload that no STUN message can hold makes it return an empty span.
  ByteSpan FinishBeforeData(size_t payload_size);

 private:
  // PatchLength sets the header's length to what is written plus `length_of_rest` bytes that
  // follow. False when that is more than the field can say.
  bool PatchLength(size_t length_of_rest);
  // AddHeader writes type and length of an attribute.
  void AddHeader(AttributeType type, size_t value_size);
  void AddAddressParts(AttributeType type, const TransportAddress& address,
                       const std::array<uint8_t, 16>& mask);
  // AppendFingerprint is false when the message has no room left for it.
  bool AppendFingerprint();

  ByteWriter writer_;
  TransactionId id_;
};

// ErrorPhrase returns the RFC's phrase for an error code, or "" for one that no RFC defines here.
std::string_view ErrorPhrase(uint16_t code);

}  // namespace turnpike::stun
