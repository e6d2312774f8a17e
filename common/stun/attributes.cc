#include "common/stun/attributes.h"

#include <algorithm>
#include <functional>

#include "common/stun/message.h"

namespace turnpike::stun {
namespace {

using enum AttributeType;

constexpr uint16_t kAny = 65535;

// In a request, responses' attributes are known but unexpected: ignored (RFC 8489 §6.3), not
// refused, so they count as understood.
constexpr AttributeInfo kTable[] = {
    // type, name, rfc, min, max, unit, understood by a server
    {kMappedAddress, "MAPPED-ADDRESS", "RFC 8489 §14.1", 8, 20, 4, true},
    {kChangeRequest, "CHANGE-REQUEST", "RFC 5780 §7.2", 4, 4, 4, true},
    {kUsername, "USERNAME", "RFC 8489 §14.3", 0, 508, 1, true},
    {kMessageIntegrity, "MESSAGE-INTEGRITY", "RFC 8489 §14.5", 20, 20, 4, true},
    {kErrorCode, "ERROR-CODE", "RFC 8489 §14.8", 4, 767, 1, true},
    {kUnknownAttributes, "UNKNOWN-ATTRIBUTES", "RFC 8489 §14.13", 0, kAny, 2, true},
    {kChannelNumber, "CHANNEL-NUMBER", "RFC 8656 §18.1", 4, 4, 4, true},
    {kLifetime, "LIFETIME", "RFC 8656 §18.2", 4, 4, 4, true},
    {kXorPeerAddress, "XOR-PEER-ADDRESS", "RFC 8656 §18.3", 8, 20, 4, true},
    {kData, "DATA", "RFC 8656 §18.4", 0, kAny, 1, true},
    {kRealm, "REALM", "RFC 8489 §14.9", 0, 763, 1, true},
    {kNonce, "NONCE", "RFC 8489 §14.10", 0, 763, 1, true},
    {kXorRelayedAddress, "XOR-RELAYED-ADDRESS", "RFC 8656 §18.5", 8, 20, 4, true},
    {kRequestedAddressFamily, "REQUESTED-ADDRESS-FAMILY", "RFC 8656 §18.6", 4, 4, 4, true},
    {kEvenPort, "EVEN-PORT", "RFC 8656 §18.7", 1, 1, 1, true},
    {kRequestedTransport, "REQUESTED-TRANSPORT", "RFC 8656 §18.8", 4, 4, 4, true},
    {kDontFragment, "DONT-FRAGMENT", "RFC 8656 §18.9", 0, 0, 1, true},
    {kMessageIntegritySha256, "MESSAGE-INTEGRITY-SHA256", "RFC 8489 §14.6", 16, 32, 4, true},
    {kPasswordAlgorithm, "PASSWORD-ALGORITHM", "RFC 8489 §14.12", 4, kAny, 1, true},
    {kUserhash, "USERHASH", "RFC 8489 §14.4", 32, 32, 4, true},
    {kXorMappedAddress, "XOR-MAPPED-ADDRESS", "RFC 8489 §14.2", 8, 20, 4, true},
    {kReservationToken, "RESERVATION-TOKEN", "RFC 8656 §18.10", 8, 8, 4, true},
    {kPriority, "PRIORITY", "RFC 8445 §16.1", 4, 4, 4, false},
    {kUseCandidate, "USE-CANDIDATE", "RFC 8445 §16.1", 0, 0, 1, false},
    {kPadding, "PADDING", "RFC 5780 §7.6", 0, kAny, 1, true},
    // "A 16-bit unsigned integer ... followed by 2 bytes of padding": both lengths are in use.
    {kResponsePort, "RESPONSE-PORT", "RFC 5780 §7.5", 2, 4, 2, true},
    {kConnectionId, "CONNECTION-ID", "RFC 6062 §6.2.1", 4, 4, 4, true},
    {kAdditionalAddressFamily, "ADDITIONAL-ADDRESS-FAMILY", "RFC 8656 §18.11", 4, 4, 4, true},
    {kAddressErrorCode, "ADDRESS-ERROR-CODE", "RFC 8656 §18.12", 4, 767, 1, true},
    {kPasswordAlgorithms, "PASSWORD-ALGORITHMS", "RFC 8489 §14.11", 4, kAny, 1, true},
    {kAlternateDomain, "ALTERNATE-DOMAIN", "RFC 8489 §14.16", 0, 255, 1, true},
    {kIcmp, "ICMP", "RFC 8656 §18.13", 8, 8, 4, true},
    {kSoftware, "SOFTWARE", "RFC 8489 §14.14", 0, 763, 1, true},
    {kAlternateServer, "ALTERNATE-SERVER", "RFC 8489 §14.15", 8, 20, 4, true},
    {kFingerprint, "FINGERPRINT", "RFC 8489 §14.7", 4, 4, 4, true},
    {kResponseOrigin, "RESPONSE-ORIGIN", "RFC 5780 §7.3", 8, 20, 4, true},
    {kOtherAddress, "OTHER-ADDRESS", "RFC 5780 §7.4", 8, 20, 4, true},
    {kMobilityTicket, "MOBILITY-TICKET", "RFC 8016 §3.3", 0, kAny, 1, true},
};
static_assert(std::ranges::is_sorted(kTable, {}, &AttributeInfo::type));

// DecodeAddressParts splits an address value and XORs port and address with `mask`, whose first two
// bytes go over the port.
std::optional<TransportAddress> DecodeAddressParts(ByteSpan value,
                                                   const std::array<uint8_t, 16>& mask) {
  if (value.size() < 8) return std::nullopt;
  // value[0] "MUST be set to all zeros and ... ignored by receivers" (RFC 8489 §14.1).
  const auto port = static_cast<uint16_t>(LoadU16(value, 2) ^ LoadU16(mask, 0));
  const ByteSpan bytes = value.subspan(4);
  std::array<uint8_t, 16> unmasked{};
  if (value[1] == static_cast<uint8_t>(AddressFamily::kIpv4) && bytes.size() == 4) {
    std::ranges::transform(bytes, std::span(mask).first<4>(), unmasked.begin(), std::bit_xor());
    return TransportAddress{IpAddress::V4(std::span(unmasked).first<4>()), port};
  }
  if (value[1] == static_cast<uint8_t>(AddressFamily::kIpv6) && bytes.size() == 16) {
    std::ranges::transform(bytes, mask, unmasked.begin(), std::bit_xor());
    return TransportAddress{IpAddress::V6(unmasked), port};
  }
  return std::nullopt;
}

}  // namespace

const AttributeInfo* FindAttributeInfo(AttributeType type) {
  const auto* row = std::ranges::lower_bound(kTable, type, {}, &AttributeInfo::type);
  return row != std::end(kTable) && row->type == type ? row : nullptr;
}

std::span<const AttributeInfo> AttributeTable() { return kTable; }

bool HasValidShape(AttributeType type, ByteSpan value) {
  const AttributeInfo* row = FindAttributeInfo(type);
  if (row == nullptr) return true;
  return value.size() >= row->min_length && value.size() <= row->max_length &&
         value.size() % row->length_unit == 0;
}

std::array<uint8_t, 16> XorMask(const TransactionId& id) {
  std::array<uint8_t, 16> mask;
  ByteWriter writer(mask);
  writer.WriteU32(kMagicCookie);
  writer.WriteBytes(id);
  return mask;
}

std::optional<TransportAddress> DecodeAddress(ByteSpan value) {
  return DecodeAddressParts(value, {});
}

std::optional<TransportAddress> DecodeXorAddress(ByteSpan value, const TransactionId& id) {
  return DecodeAddressParts(value, XorMask(id));
}

std::optional<uint32_t> DecodeU32(ByteSpan value) {
  if (value.size() != 4) return std::nullopt;
  return LoadU32(value, 0);
}

std::optional<ErrorCode> DecodeErrorCode(ByteSpan value) {
  if (value.size() < 4) return std::nullopt;
  const int hundreds = value[2] & 0x07;  // the upper bits are reserved
  const int number = value[3];
  if (hundreds < 3 || hundreds > 6 || number > 99) return std::nullopt;
  return ErrorCode{static_cast<uint16_t>(hundreds * 100 + number), AsText(value.subspan(4))};
}

}  // namespace turnpike::stun
