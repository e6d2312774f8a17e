#include "common/stun/message.h"

namespace turnpike::stun {

MessageBuilder::MessageBuilder(std::span<uint8_t> buffer, Class message_class, Method method,
                               const TransactionId& id)
    : writer_(buffer), id_(id) {
  writer_.WriteU16(MessageType(message_class, method));
  writer_.WriteU16(0);  // the length, patched at the end
  writer_.WriteU32(kMagicCookie);
  writer_.WriteBytes(id);
}

void MessageBuilder::AddHeader(AttributeType type, size_t value_size) {
  writer_.WriteU16(static_cast<uint16_t>(type));
  // A size that does not fit here does not fit the message either: PatchLength refuses it.
  writer_.WriteU16(static_cast<uint16_t>(value_size));
}

void MessageBuilder::AddBytes(AttributeType type, ByteSpan value) {
  AddHeader(type, value.size());
  writer_.WriteBytes(value);
  writer_.WriteZeros(PaddingFor(value.size()));
}

void MessageBuilder::AddU32(AttributeType type, uint32_t value) {
  AddHeader(type, 4);
  writer_.WriteU32(value);
}

void MessageBuilder::AddAddressParts(AttributeType type, const TransportAddress& address,
                                     const std::array<uint8_t, 16>& mask) {
  const ByteSpan ip = address.ip.bytes();
  AddHeader(type, 4 + ip.size());
  writer_.WriteU8(0);
  writer_.WriteU8(static_cast<uint8_t>(address.ip.family()));
  writer_.WriteU16(static_cast<uint16_t>(address.port ^ LoadU16(mask, 0)));
  for (size_t i = 0; i < ip.size(); ++i) writer_.WriteU8(ip[i] ^ mask[i]);
}

void MessageBuilder::AddAddress(AttributeType type, const TransportAddress& address) {
  AddAddressParts(type, address, {});
}

void MessageBuilder::AddXorAddress(AttributeType type, const TransportAddress& address) {
  AddAddressParts(type, address, XorMask(id_));
}

void MessageBuilder::AddErrorCode(uint16_t code) {
  const std::string_view phrase = ErrorPhrase(code);
  AddHeader(AttributeType::kErrorCode, 4 + phrase.size());
  writer_.WriteU16(0);
  writer_.WriteU8(static_cast<uint8_t>(code / 100));
  writer_.WriteU8(static_cast<uint8_t>(code % 100));
  writer_.WriteBytes(AsBytes(phrase));
  writer_.WriteZeros(PaddingFor(phrase.size()));
}

void MessageBuilder::AddUnknownAttributes(std::span<const AttributeType> types) {
  const size_t size = types.size() * 2;
  AddHeader(AttributeType::kUnknownAttributes, size);
  for (const AttributeType type : types) writer_.WriteU16(static_cast<uint16_t>(type));
  writer_.WriteZeros(PaddingFor(size));
}

ByteSpan MessageBuilder::FinishWithIntegrity(IntegrityKind kind, ByteSpan key, bool fingerprint) {
  const size_t mac_size = kind == IntegrityKind::kSha1 ? Sha1Mac().size() : Sha256Mac().size();
  if (!PatchLength(kAttributeHeaderSize + mac_size)) return {};
  if (kind == IntegrityKind::kSha1) {
    AddBytes(AttributeType::kMessageIntegrity, HmacSha1(key, {writer_.written()}));
  } else {
    AddBytes(AttributeType::kMessageIntegritySha256, HmacSha256(key, {writer_.written()}));
  }
  return FinishUnauthenticated(fingerprint);
}

ByteSpan MessageBuilder::FinishUnauthenticated(bool fingerprint) {
  if (fingerprint && !AppendFingerprint()) return {};
  return PatchLength(0) ? writer_.written() : ByteSpan();
}

ByteSpan MessageBuilder::FinishBeforeData(size_t payload_size) {
  AddHeader(AttributeType::kData, payload_size);
  return PatchLength(payload_size + PaddingFor(payload_size)) ? writer_.written() : ByteSpan();
}

bool MessageBuilder::PatchLength(size_t length_of_rest) {
  if (!writer_.ok()) return false;
  const size_t length = writer_.size() - kHeaderSize + length_of_rest;
  if (length > 0xFFFF) return false;
  writer_.PatchU16(2, static_cast<uint16_t>(length));
  return true;
}

bool MessageBuilder::AppendFingerprint() {
  // The checksum covers the header with its final length (§14.7).
  if (!PatchLength(kAttributeHeaderSize + 4)) return false;
  AddU32(AttributeType::kFingerprint, Crc32(writer_.written()) ^ kFingerprintXor);
  return true;
}

}  // namespace turnpike::stun
