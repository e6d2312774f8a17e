// What the builder writes, the parser reads: every value, in any order, whatever room there is.
#include <array>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/stun/message.h"
#include "tests/fuzz/fuzz_input.h"

namespace turnpike::stun {
namespace {

using enum AttributeType;

constexpr std::array kTypes = {kMappedAddress,
                               kUsername,
                               kErrorCode,
                               kUnknownAttributes,
                               kChannelNumber,
                               kLifetime,
                               kXorPeerAddress,
                               kData,
                               kRealm,
                               kNonce,
                               kEvenPort,
                               kRequestedTransport,
                               kDontFragment,
                               kXorMappedAddress,
                               kReservationToken,
                               kXorRelayedAddress,
                               kConnectionId,
                               kSoftware,
                               kAlternateServer};

// Verify looks at an attribute's value once the message is read.
using Verify = std::function<bool(ByteSpan value)>;

TransportAddress AddressFrom(FuzzInput& input) {
  if (input.Below(2) == 0) {
    return {IpAddress::V4({{input.Byte(), input.Byte(), input.Byte(), input.Byte()}}),
            static_cast<uint16_t>(input.Byte() << 8 | input.Byte())};
  }
  std::array<uint8_t, 16> ip{};
  for (uint8_t& byte : ip) byte = input.Byte();
  return {IpAddress::V6(ip), static_cast<uint16_t>(input.Byte() << 8 | input.Byte())};
}

Verify AddOne(MessageBuilder& builder, AttributeType type, const TransactionId& id,
              FuzzInput& input) {
  switch (input.Below(6)) {
    case 0: {
      const uint32_t number = static_cast<uint32_t>(input.Byte()) << 24 | input.Byte();
      builder.AddU32(type, number);
      return [=](ByteSpan value) { return DecodeU32(value) == number; };
    }
    case 1: {
      const TransportAddress address = AddressFrom(input);
      builder.AddAddress(type, address);
      return [=](ByteSpan value) { return DecodeAddress(value) == address; };
    }
    case 2: {
      const TransportAddress address = AddressFrom(input);
      builder.AddXorAddress(type, address);
      return [=](ByteSpan value) { return DecodeXorAddress(value, id) == address; };
    }
    case 3: {
      const ByteSpan bytes = input.Bytes(input.Byte());
      const std::vector<uint8_t> kept(bytes.begin(), bytes.end());
      builder.AddBytes(type, bytes);
      return [=](ByteSpan value) { return std::ranges::equal(value, kept); };
    }
    case 4:
      builder.AddFlag(type);
      return [](ByteSpan value) { return value.empty(); };
    default: {
      const std::string text(input.Byte() % 32, 'x');
      builder.AddText(type, text);
      return [=](ByteSpan value) { return AsText(value) == text; };
    }
  }
}

void RunErrors(FuzzInput& input) {
  std::array<uint8_t, 200> buffer;
  MessageBuilder builder(buffer, Class::kErrorResponse, Method::kAllocate, TransactionId{});
  constexpr std::array<uint16_t, 12> kCodes = {300, 400, 401, 403, 405, 420,
                                               437, 438, 440, 443, 486, 508};
  const uint16_t code = kCodes[input.Below(kCodes.size())];
  builder.AddErrorCode(code);
  const std::array unknown = {static_cast<AttributeType>(input.Byte()), kData};
  builder.AddUnknownAttributes(unknown);
  const auto view = MessageView::Parse(builder.FinishUnauthenticated(input.Below(2) == 0));
  TP_CHECK(view.has_value());
  const auto decoded = DecodeErrorCode(*view->Find(kErrorCode));
  TP_CHECK(decoded && decoded->code == code && !decoded->reason.empty());
  TP_CHECK(view->Find(kUnknownAttributes)->size() == 4);
}

void RunValues(FuzzInput& input) {
  std::vector<uint8_t> buffer(size_t{20} + input.Byte() * size_t{6});
  TransactionId id{};
  for (uint8_t& byte : id) byte = input.Byte();
  MessageBuilder builder(buffer, Class::kRequest, Method::kAllocate, id);
  std::vector<std::pair<AttributeType, Verify>> wanted;
  for (uint8_t count = input.Below(12); count > 0; --count) {
    const AttributeType type = kTypes[input.Below(kTypes.size())];
    wanted.emplace_back(type, AddOne(builder, type, id, input));
  }
  const std::array<uint8_t, 3> key = {input.Byte(), 2, 3};
  const bool fingerprint = input.Below(2) == 0;
  const uint8_t how = input.Below(4);
  ByteSpan bytes;
  if (how == 3) {
    bytes = builder.FinishBeforeData(input.Byte());
    return TP_CHECK(bytes.size() <= buffer.size());
  }
  const auto kind = how == 0 ? IntegrityKind::kSha1 : IntegrityKind::kSha256;
  bytes = how == 2 ? builder.FinishUnauthenticated(fingerprint)
                   : builder.FinishWithIntegrity(kind, key, fingerprint);
  if (bytes.empty()) return;  // it did not fit
  const auto view = MessageView::Parse(bytes);
  TP_CHECK(view.has_value() && view->transaction_id() == id);
  TP_CHECK(view->has_fingerprint() == fingerprint);
  size_t at = 0;
  view->ForEach([&](const Attribute& attribute) {
    TP_CHECK(at < wanted.size() && wanted[at].first == attribute.type);
    TP_CHECK(wanted[at].second(attribute.value));
    ++at;
  });
  TP_CHECK(at == wanted.size());
  if (how == 0) TP_CHECK(view->VerifyIntegrity(key));
  if (how == 1) TP_CHECK(view->VerifyIntegritySha256(key));
}

}  // namespace
}  // namespace turnpike::stun

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  turnpike::FuzzInput input(data, size);
  turnpike::stun::RunErrors(input);
  turnpike::stun::RunValues(input);
  return 0;
}
