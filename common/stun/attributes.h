// THE table of STUN attributes, and the typed values in them. A new attribute is an enumerator and
// a row here; parsing, validation of its shape and the names in logs come from the row.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |         Type                  |            Length             |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |                         Value (variable, padded to 4)      ....
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   RFC 8489 §14
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "common/base/bytes.h"
#include "common/net/transport_address.h"

namespace turnpike::stun {

// TransactionId is the 96-bit id that pairs a response with its request (RFC 8489 §5).
using TransactionId = std::array<uint8_t, 12>;

enum class AttributeType : uint16_t {
  kMappedAddress = 0x0001,
  kChangeRequest = 0x0003,
  kUsername = 0x0006,
  kMessageIntegrity = 0x0008,
  kErrorCode = 0x0009,
  kUnknownAttributes = 0x000A,
  kChannelNumber = 0x000C,
  kLifetime = 0x000D,
  kXorPeerAddress = 0x0012,
  kData = 0x0013,
  kRealm = 0x0014,
  kNonce = 0x0015,
  kXorRelayedAddress = 0x0016,
  kRequestedAddressFamily = 0x0017,
  kEvenPort = 0x0018,
  kRequestedTransport = 0x0019,
  kDontFragment = 0x001A,
  kMessageIntegritySha256 = 0x001C,
  kPasswordAlgorithm = 0x001D,
  kUserhash = 0x001E,
  kXorMappedAddress = 0x0020,
  kReservationToken = 0x0022,
  kPriority = 0x0024,
  kUseCandidate = 0x0025,
  kPadding = 0x0026,
  kResponsePort = 0x0027,
  kConnectionId = 0x002A,
  kAdditionalAddressFamily = 0x8000,
  kAddressErrorCode = 0x8001,
  kPasswordAlgorithms = 0x8002,
  kAlternateDomain = 0x8003,
  kIcmp = 0x8004,
  kSoftware = 0x8022,
  kAlternateServer = 0x8023,
  kFingerprint = 0x8028,
  kResponseOrigin = 0x802B,
  kOtherAddress = 0x802C,
  kMobilityTicket = 0x8030,
};

// IsComprehensionRequired says whether a receiver that does not know `type` must refuse the message
// (RFC 8489 §14: types below 0x8000).
constexpr bool IsComprehensionRequired(AttributeType type) {
  return static_cast<uint16_t>(type) < 0x8000;
}

// AttributeInfo is a row of the table: the value's length must lie in [min_length, max_length], and
// be a multiple of `length_unit`.
struct AttributeInfo {
  AttributeType type;
  std::string_view name;  // RFC spelling
  std::string_view rfc;   // where it is defined
  uint16_t min_length;
  uint16_t max_length;
  uint16_t length_unit;
  // A TURN or STUN server knows what to do with it in a request, if only to ignore it because it
  // belongs into responses. What is comprehension-required and not understood gets a 420, also when
  // the table knows its name (PRIORITY belongs to ICE, RFC 8445).
  bool understood_by_server;
};

// FindAttributeInfo returns the row of `type`, or nullptr when the table has none.
const AttributeInfo* FindAttributeInfo(AttributeType type);

// AttributeTable views all rows, in the order of their codes.
std::span<const AttributeInfo> AttributeTable();

// HasValidShape says whether `value` has a length that the row of `type` allows; a type without a
// row is always valid.
bool HasValidShape(AttributeType type, ByteSpan value);

// XorMask returns what XOR addresses are combined with: the magic cookie, then `id` (RFC 8489
// §14.2). The port takes its first two bytes, an IPv4 address the first four, an IPv6 address all.
std::array<uint8_t, 16> XorMask(const TransactionId& id);

// DecodeAddress reads a MAPPED-ADDRESS value (RFC 8489 §14.1), DecodeXorAddress an
// XOR-MAPPED-ADDRESS value (§14.2; also XOR-PEER-ADDRESS and XOR-RELAYED-ADDRESS). nullopt when
// malformed: an unknown family, or a length that does not match it.
std::optional<TransportAddress> DecodeAddress(ByteSpan value);
std::optional<TransportAddress> DecodeXorAddress(ByteSpan value, const TransactionId& id);

// DecodeU32 reads a 4-byte value (LIFETIME, CONNECTION-ID, ...); nullopt for another length.
std::optional<uint32_t> DecodeU32(ByteSpan value);

// ErrorCode is the value of ERROR-CODE (RFC 8489 §14.8): 300..699 and a phrase for people.
struct ErrorCode {
  uint16_t code = 0;
  std::string_view reason;
};
std::optional<ErrorCode> DecodeErrorCode(ByteSpan value);

}  // namespace turnpike::stun
