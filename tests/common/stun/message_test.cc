#include "common/stun/message.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "tests/support/hex.h"
#include "tests/vectors/rfc5769.h"

namespace turnpike::stun {
namespace {

using enum AttributeType;
using Bytes = std::vector<uint8_t>;

constexpr TransactionId kId = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
const ByteSpan kKey = AsBytes("key");

Bytes Copy(ByteSpan bytes) { return {bytes.begin(), bytes.end()}; }

// Raw writes a message by hand: header with the given length field, then `body`.
Bytes Raw(size_t length_field, ByteSpan body, uint16_t type = 0x0001) {
  Bytes bytes(kHeaderSize + body.size());
  ByteWriter writer(bytes);
  writer.WriteU16(type);
  writer.WriteU16(static_cast<uint16_t>(length_field));
  writer.WriteU32(kMagicCookie);
  writer.WriteBytes(kId);
  writer.WriteBytes(body);
  return bytes;
}

Bytes Raw(ByteSpan body) { return Raw(body.size(), body); }

// Grow appends an attribute to a finished message and adds it to the length field.
void Grow(Bytes& message, uint16_t type, ByteSpan value) {
  for (const size_t n : {size_t{type}, value.size()}) {
    message.push_back(static_cast<uint8_t>(n >> 8));
    message.push_back(static_cast<uint8_t>(n));
  }
  message.insert(message.end(), value.begin(), value.end());
  message.resize(message.size() + PaddingFor(value.size()));
  const size_t length = message.size() - kHeaderSize;
  message[2] = static_cast<uint8_t>(length >> 8);
  message[3] = static_cast<uint8_t>(length);
}

ParseError ErrorOf(ByteSpan bytes) {
  const auto view = MessageView::Parse(bytes);
  REQUIRE_FALSE(view);
  return view.error();
}

TEST_CASE("8489_5: types of all classes and methods round trip") {
  CHECK(MessageType(Class::kRequest, Method::kBinding) == 0x0001);
  CHECK(MessageType(Class::kSuccessResponse, Method::kBinding) == 0x0101);
  CHECK(MessageType(Class::kErrorResponse, Method::kAllocate) == 0x0113);
  CHECK(MessageType(Class::kIndication, Method::kSend) == 0x0016);
  CHECK(MessageType(Class::kIndication, Method::kData) == 0x0017);
  for (unsigned method = 0; method < 0x1000; ++method) {
    for (unsigned c = 0; c < 4; ++c) {
      const uint16_t type = MessageType(static_cast<Class>(c), static_cast<Method>(method));
      const auto bytes = Raw(0, {}, type);
      const auto view = MessageView::Parse(bytes);
      if (!view || static_cast<unsigned>(view->method()) != method ||
          static_cast<unsigned>(view->message_class()) != c) {
        FAIL("type " << type);
      }
    }
  }
}

TEST_CASE("names are a bounded set") {
  CHECK(MethodName(Method::kCreatePermission) == "create_permission");
  CHECK(MethodName(static_cast<Method>(0x123)) == "unknown");
  CHECK(ClassName(Class::kSuccessResponse) == "success");
  CHECK(ParseErrorName(ParseError::kBadFingerprint) == "bad_fingerprint");
}

TEST_CASE("8489_6_3: what is not STUN is refused with its reason") {
  CHECK(ErrorOf({}) == ParseError::kTooShort);
  Bytes bytes = Raw(0, {});
  CHECK(ErrorOf(ByteSpan(bytes).first(19)) == ParseError::kTooShort);
  bytes[0] = 0x40;
  CHECK(ErrorOf(bytes) == ParseError::kNotStun);
  bytes[0] = 0x80;
  CHECK(ErrorOf(bytes) == ParseError::kNotStun);
  bytes[0] = 0x00;
  bytes[7] = 0x43;
  CHECK(ErrorOf(bytes) == ParseError::kNotStun);
}

TEST_CASE("8489_5: the length field must be a multiple of 4 and the exact rest") {
  CHECK(ErrorOf(Raw(1, Bytes(1))) == ParseError::kBadLength);
  CHECK(ErrorOf(Raw(2, Bytes(4))) == ParseError::kBadLength);
  CHECK(ErrorOf(Raw(8, Bytes(4))) == ParseError::kTooShort);
  CHECK(ErrorOf(Raw(0, Bytes(4))) == ParseError::kBadLength);
  CHECK(ErrorOf(Raw(65532, Bytes(8))) == ParseError::kTooShort);
  CHECK(ErrorOf(Raw(65535, Bytes(8))) == ParseError::kBadLength);
}

TEST_CASE("8489_14: an attribute that runs past the end is refused, 16-bit overflow included") {
  CHECK(ErrorOf(Raw(FromHex("80220005 61626364"))) == ParseError::kBadAttribute);
  for (const char* length : {"fffc", "fffd", "fffe", "ffff", "0001"}) {
    CAPTURE(length);
    CHECK(ErrorOf(Raw(FromHex(std::string("8022") + length))) == ParseError::kBadAttribute);
  }
  CHECK(MessageView::Parse(Raw(FromHex("80220000"))));
  CHECK(MessageView::Parse(Raw(FromHex("80220001 61000000"))));
}

TEST_CASE("a message of the largest size parses and is built") {
  Bytes body = FromHex("0013fff8");
  body.resize(65532);
  CHECK(MessageView::Parse(Raw(65532, body))->Find(kData)->size() == 65528);

  Bytes buffer(70'000);
  MessageBuilder fits(buffer, Class::kIndication, Method::kData, kId);
  fits.AddBytes(kData, Bytes(65528));
  CHECK(fits.FinishUnauthenticated(false).size() == 20 + 65532);
  MessageBuilder too_long(buffer, Class::kIndication, Method::kData, kId);
  too_long.AddBytes(kData, Bytes(65529));
  CHECK(too_long.FinishUnauthenticated(false).empty());
  MessageBuilder no_fingerprint(buffer, Class::kIndication, Method::kData, kId);
  no_fingerprint.AddBytes(kData, Bytes(65528));
  CHECK(no_fingerprint.FinishUnauthenticated(true).empty());
  MessageBuilder no_mac(buffer, Class::kIndication, Method::kData, kId);
  no_mac.AddBytes(kData, Bytes(65520));
  CHECK(no_mac.FinishWithIntegrity(IntegrityKind::kSha1, kKey, false).empty());
}

TEST_CASE("every truncation of a valid message is an error") {
  for (const auto hex : {vectors::kSampleRequest, vectors::kSampleIpv6Response,
                         vectors::kLongTermRequest, vectors::kUserhashRequest}) {
    const Bytes bytes = FromHex(hex);
    REQUIRE(MessageView::Parse(bytes));
    for (size_t size = 0; size < bytes.size(); ++size) {
      // A copy of exactly that size, so that a sanitizer sees a read past it.
      CHECK_FALSE(
          MessageView::Parse(Bytes(bytes.begin(), bytes.begin() + static_cast<long>(size))));
    }
    Bytes longer = bytes;
    longer.resize(longer.size() + 4);
    CHECK(ErrorOf(longer) == ParseError::kBadLength);
  }
}

TEST_CASE("random bytes behind a valid header never crash") {
  std::mt19937 random(5769);
  for (int i = 0; i < 20'000; ++i) {
    Bytes body(4 * (random() % 24));
    std::ranges::generate(body, [&] { return static_cast<uint8_t>(random() % 4 ? 0 : random()); });
    const Bytes bytes = Raw(body);
    const auto view = MessageView::Parse(bytes);
    if (!view) continue;
    size_t seen = 0;
    view->ForEach([&](const Attribute& attribute) { seen += 4 + attribute.value.size(); });
    CHECK(seen <= body.size());
    CHECK_FALSE(view->VerifyIntegrity(kKey));
    CHECK(view->UnknownRequired().size() <= 16);
  }
}

TEST_CASE("8489_14: of an attribute that appears twice only the first counts") {
  std::array<uint8_t, 128> buffer;
  MessageBuilder builder(buffer, Class::kRequest, Method::kRefresh, kId);
  builder.AddU32(kLifetime, 600);
  builder.AddU32(kLifetime, 0);
  const auto view = MessageView::Parse(builder.FinishUnauthenticated(false));
  CHECK(DecodeU32(view->Find(kLifetime).value()) == 600u);
  int count = 0;
  view->ForEach([&](const Attribute&) { ++count; });
  CHECK(count == 2);
}

TEST_CASE("8489_14_5: what follows MESSAGE-INTEGRITY is not shown") {
  std::array<uint8_t, 256> buffer;
  MessageBuilder builder(buffer, Class::kRequest, Method::kRefresh, kId);
  builder.AddText(kUsername, "alice");
  Bytes bytes = Copy(builder.FinishWithIntegrity(IntegrityKind::kSha1, kKey, false));
  Grow(bytes, static_cast<uint16_t>(kLifetime), FromHex("00000000"));
  Grow(bytes, 0x7FFF, {});
  const auto view = MessageView::Parse(bytes);
  REQUIRE(view);
  CHECK_FALSE(view->Find(kLifetime));
  CHECK(view->UnknownRequired().empty());
  CHECK(view->VerifyIntegrity(kKey));
}

TEST_CASE("8489_14_6: both MACs in one message are verified each over what came before it") {
  std::array<uint8_t, 256> buffer;
  MessageBuilder builder(buffer, Class::kRequest, Method::kRefresh, kId);
  builder.AddText(kUsername, "alice");
  Bytes bytes = Copy(builder.FinishWithIntegrity(IntegrityKind::kSha1, kKey, false));
  // MESSAGE-INTEGRITY-SHA256 covers MESSAGE-INTEGRITY; the length counts up to its own end.
  const size_t length = bytes.size() - kHeaderSize + 36;
  bytes[3] = static_cast<uint8_t>(length);
  const Sha256Mac mac = HmacSha256(kKey, {bytes});
  Grow(bytes, static_cast<uint16_t>(kMessageIntegritySha256), mac);
  const auto view = MessageView::Parse(bytes);
  REQUIRE(view);
  CHECK(view->VerifyIntegrity(kKey));
  CHECK(view->VerifyIntegritySha256(kKey));
}

TEST_CASE("8489_14_6: behind MESSAGE-INTEGRITY-SHA256 a MESSAGE-INTEGRITY does not count") {
  std::array<uint8_t, 256> buffer;
  MessageBuilder builder(buffer, Class::kRequest, Method::kRefresh, kId);
  Bytes bytes = Copy(builder.FinishWithIntegrity(IntegrityKind::kSha256, kKey, false));
  Grow(bytes, static_cast<uint16_t>(kMessageIntegrity), Bytes(20));
  const auto view = MessageView::Parse(bytes);
  CHECK(view->has_integrity_sha256());
  CHECK_FALSE(view->has_integrity());
}

TEST_CASE("8489_14_6: truncated SHA-256 MACs of 16 to 32 bytes in steps of four verify") {
  for (size_t size = 0; size <= 40; ++size) {
    CAPTURE(size);
    const size_t padded = size + PaddingFor(size);
    Bytes bytes = Raw(4 + padded, {});
    Sha256Mac mac = HmacSha256(kKey, {bytes});
    Bytes value = Copy(mac);
    value.resize(size);
    Grow(bytes, static_cast<uint16_t>(kMessageIntegritySha256), value);
    const auto view = MessageView::Parse(bytes);
    REQUIRE(view);
    CHECK(view->VerifyIntegritySha256(kKey) == (size >= 16 && size <= 32 && size % 4 == 0));
  }
}

TEST_CASE("8489_14_5: a MESSAGE-INTEGRITY of another length never verifies") {
  for (const size_t size : {0u, 4u, 16u, 19u, 21u, 24u}) {
    Bytes bytes = Raw(4 + size + PaddingFor(size), {});
    Bytes value = Copy(HmacSha1(kKey, {bytes}));
    value.resize(size);
    Grow(bytes, static_cast<uint16_t>(kMessageIntegrity), value);
    CHECK_FALSE(MessageView::Parse(bytes)->VerifyIntegrity(kKey));
  }
}

TEST_CASE("8489_14_7: FINGERPRINT must be last and right") {
  std::array<uint8_t, 256> buffer;
  MessageBuilder builder(buffer, Class::kRequest, Method::kBinding, kId);
  builder.AddText(kSoftware, "x");
  Bytes bytes = Copy(builder.FinishWithIntegrity(IntegrityKind::kSha1, kKey, true));
  REQUIRE(MessageView::Parse(bytes)->has_fingerprint());
  CHECK(MessageView::Parse(bytes)->VerifyIntegrity(kKey));
  Bytes wrong = bytes;
  wrong.back() ^= 1;
  CHECK(ErrorOf(wrong) == ParseError::kBadFingerprint);
  Grow(bytes, static_cast<uint16_t>(kSoftware), {});
  CHECK(ErrorOf(bytes) == ParseError::kBadFingerprint);
  Bytes short_value = Raw({});
  Grow(short_value, static_cast<uint16_t>(kFingerprint), {});
  CHECK(ErrorOf(short_value) == ParseError::kBadFingerprint);
}

TEST_CASE("8489_6_3_1: unknown comprehension-required attributes are listed once, at most 16") {
  Bytes bytes = Raw({});
  Grow(bytes, 0x7F00, {});
  Grow(bytes, 0xFF00, {});  // comprehension-optional: ignored
  Grow(bytes, static_cast<uint16_t>(kUseCandidate), {});
  Grow(bytes, static_cast<uint16_t>(kDontFragment), {});
  Grow(bytes, static_cast<uint16_t>(kXorRelayedAddress), {});  // known, though odd in a request
  Grow(bytes, 0x7F00, {});
  const auto view = MessageView::Parse(bytes);
  CHECK(view->UnknownRequired() == std::vector{static_cast<AttributeType>(0x7F00), kUseCandidate});
  for (uint16_t type = 0x7000; type < 0x7020; ++type) Grow(bytes, type, {});
  CHECK(MessageView::Parse(bytes)->UnknownRequired().size() == 16);
}

}  // namespace
}  // namespace turnpike::stun
