// Fuzzes the STUN parser, every decoder behind it and the builder: what parses must survive a
// re-encoding, and nothing may read past its input.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/base/check.h"
#include "common/stun/channel_data.h"
#include "common/stun/message.h"

namespace turnpike::stun {
namespace {

using enum AttributeType;
using Bytes = std::vector<uint8_t>;

const ByteSpan kKey = AsBytes("key");

void DecodeEverything(const MessageView& view) {
  view.ForEach([&](const Attribute& attribute) {
    (void)HasValidShape(attribute.type, attribute.value);
    (void)DecodeU32(attribute.value);
    if (const auto error = DecodeErrorCode(attribute.value)) {
      TP_CHECK(error->code >= 300 && error->code <= 699);
    }
    const auto plain = DecodeAddress(attribute.value);
    const auto masked = DecodeXorAddress(attribute.value, view.transaction_id());
    TP_CHECK(plain.has_value() == masked.has_value());
    if (plain) TP_CHECK(TransportAddress::Parse(plain->ToString()) == plain);
    TP_CHECK(view.Find(attribute.type).has_value());
  });
  TP_CHECK(view.UnknownRequired().size() <= 16);
  (void)view.VerifyIntegrity(kKey);
  (void)view.VerifyIntegritySha256(kKey);
}

std::vector<Attribute> AttributesOf(const MessageView& view) {
  std::vector<Attribute> attributes;
  view.ForEach([&](const Attribute& attribute) { attributes.push_back(attribute); });
  return attributes;
}

// Rebuild writes the attributes that `view` shows into a new message with integrity and
// fingerprint, which must parse, verify and show the same.
void Rebuild(const MessageView& view, IntegrityKind kind) {
  Bytes buffer(view.bytes().size() + 64);
  MessageBuilder builder(buffer, view.message_class(), view.method(), view.transaction_id());
  const std::vector<Attribute> attributes = AttributesOf(view);
  for (const Attribute& attribute : attributes) builder.AddBytes(attribute.type, attribute.value);
  const ByteSpan bytes = builder.FinishWithIntegrity(kind, kKey, true);
  if (bytes.empty()) {  // only a message that was nearly as long as one can be
    TP_CHECK(view.bytes().size() + 44 > 65535);
    return;
  }
  const auto again = MessageView::Parse(bytes);
  TP_CHECK(again.has_value() && again->has_fingerprint());
  TP_CHECK(kind == IntegrityKind::kSha1 ? again->VerifyIntegrity(kKey)
                                        : again->VerifyIntegritySha256(kKey));
  const auto same = [](const Attribute& a, const Attribute& b) {
    return a.type == b.type && std::ranges::equal(a.value, b.value);
  };
  TP_CHECK(std::ranges::equal(AttributesOf(*again), attributes, same));
}

void ParseAndUse(ByteSpan bytes) {
  const auto view = MessageView::Parse(bytes);
  if (!view) {
    (void)ParseErrorName(view.error());
    return;
  }
  (void)MethodName(view->method());
  (void)ClassName(view->message_class());
  DecodeEverything(*view);
  Rebuild(*view, IntegrityKind::kSha1);
  Rebuild(*view, IntegrityKind::kSha256);
}

// Repaired returns the input with header, length and a trailing FINGERPRINT made right, since
// random mutation finds neither the cookie nor a checksum.
Bytes Repaired(ByteSpan input) {
  Bytes bytes(input.begin(), input.end());
  bytes.resize(std::max<size_t>(bytes.size() / 4 * 4, kHeaderSize));
  const size_t length = std::min<size_t>(bytes.size() - kHeaderSize, 65532);
  bytes.resize(kHeaderSize + length);
  bytes[0] &= 0x3F;
  bytes[2] = static_cast<uint8_t>(length >> 8);
  bytes[3] = static_cast<uint8_t>(length);
  std::ranges::copy(std::array<uint8_t, 4>{0x21, 0x12, 0xA4, 0x42}, bytes.begin() + 4);
  if (length >= 8 && LoadU32(bytes, bytes.size() - 8) == 0x80280004) {
    const uint32_t crc = Crc32(ByteSpan(bytes).first(bytes.size() - 8)) ^ kFingerprintXor;
    for (size_t i = 0; i < 4; ++i) {
      bytes[bytes.size() - 4 + i] = static_cast<uint8_t>(crc >> (24 - 8 * i));
    }
  }
  return bytes;
}

void UseChannelData(ByteSpan bytes) {
  const auto data = ParseChannelData(bytes);
  if (!data) return;
  TP_CHECK(data->channel >= kFirstChannel && data->channel <= kLastRfc5766Channel);
  const auto header = ChannelDataHeader(data->channel, static_cast<uint16_t>(data->payload.size()));
  TP_CHECK(std::ranges::equal(header, bytes.first(kChannelHeaderSize)));
}

}  // namespace
}  // namespace turnpike::stun

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace turnpike::stun;
  const turnpike::ByteSpan bytes(data, size);
  ParseAndUse(bytes);
  ParseAndUse(Repaired(bytes));
  UseChannelData(bytes);
  return 0;
}
