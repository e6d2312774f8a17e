#include <doctest/doctest.h>

#include <algorithm>

#include "common/stun/message.h"
#include "tests/support/hex.h"

namespace turnpike::stun {
namespace {

using enum AttributeType;

constexpr TransactionId kId = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

TEST_CASE("every value round trips") {
  std::array<uint8_t, MessageBuilder::kMaxMessageSize> buffer;
  MessageBuilder builder(buffer, Class::kErrorResponse, Method::kAllocate, kId);
  const auto v4 = TransportAddress::Parse("203.0.113.7:3478").value();
  const auto v6 = TransportAddress::Parse("[2001:db8::7]:65535").value();
  builder.AddErrorCode(420);
  builder.AddUnknownAttributes(std::vector{kPriority, kUseCandidate, kPadding});
  builder.AddXorAddress(kXorRelayedAddress, v4);
  builder.AddXorAddress(kXorMappedAddress, v6);
  builder.AddAddress(kMappedAddress, v4);
  builder.AddAddress(kAlternateServer, v6);
  builder.AddU32(kLifetime, 600);
  builder.AddText(kRealm, "turnpike.example");
  builder.AddFlag(kDontFragment);
  const auto view =
      MessageView::Parse(builder.FinishWithIntegrity(IntegrityKind::kSha256, AsBytes("k"), true));
  REQUIRE(view);
  CHECK(view->message_class() == Class::kErrorResponse);
  CHECK(view->method() == Method::kAllocate);
  CHECK(view->transaction_id() == kId);
  const auto error = DecodeErrorCode(view->Find(kErrorCode).value());
  CHECK(error->code == 420);
  CHECK(error->reason == "Unknown Attribute");
  CHECK(std::ranges::equal(view->Find(kUnknownAttributes).value(), FromHex("002400250026")));
  CHECK(DecodeXorAddress(view->Find(kXorRelayedAddress).value(), kId) == v4);
  CHECK(DecodeXorAddress(view->Find(kXorMappedAddress).value(), kId) == v6);
  CHECK(DecodeAddress(view->Find(kMappedAddress).value()) == v4);
  CHECK(DecodeAddress(view->Find(kAlternateServer).value()) == v6);
  CHECK(DecodeU32(view->Find(kLifetime).value()) == 600u);
  CHECK(AsText(view->Find(kRealm).value()) == "turnpike.example");
  CHECK(view->Find(kDontFragment)->empty());
  CHECK(view->VerifyIntegritySha256(AsBytes("k")));
  CHECK(view->has_fingerprint());
}

TEST_CASE("padding is zero whatever the buffer held") {
  std::array<uint8_t, 256> buffer;
  buffer.fill(0xEE);
  MessageBuilder builder(buffer, Class::kErrorResponse, Method::kBinding, kId);
  builder.AddText(kSoftware, "abcde");
  builder.AddErrorCode(401);  // 15 characters: one byte of padding
  builder.AddUnknownAttributes(std::vector{kPriority});
  const ByteSpan bytes = builder.FinishUnauthenticated(false);
  CHECK(bytes.size() == 20 + 12 + 24 + 8);
  CHECK(std::ranges::count(bytes, 0xEE) == 0);
}

TEST_CASE("a message that does not fit its buffer is empty, never cut") {
  for (size_t size = 0; size < 20 + 12 + 24 + 8; ++size) {
    std::vector<uint8_t> buffer(size);
    MessageBuilder builder(buffer, Class::kRequest, Method::kBinding, kId);
    builder.AddText(kUsername, "alice:x");
    CHECK(builder.FinishWithIntegrity(IntegrityKind::kSha1, AsBytes("k"), true).empty());
  }
  std::vector<uint8_t> buffer(20 + 12 + 24 + 8);
  MessageBuilder builder(buffer, Class::kRequest, Method::kBinding, kId);
  builder.AddText(kUsername, "alice:x");
  CHECK(builder.FinishWithIntegrity(IntegrityKind::kSha1, AsBytes("k"), true).size() ==
        buffer.size());
}

TEST_CASE("8656_11_5: a head for a payload that is sent behind it parses as one message") {
  const auto peer = TransportAddress::Parse("192.0.2.1:5000").value();
  for (size_t size = 0; size < 9; ++size) {
    std::array<uint8_t, 64> buffer;
    MessageBuilder builder(buffer, Class::kIndication, Method::kData, kId);
    builder.AddXorAddress(kXorPeerAddress, peer);
    const ByteSpan head = builder.FinishBeforeData(size);
    CHECK(head.size() == 36);  // what a Data indication costs on the wire
    std::vector<uint8_t> message(head.begin(), head.end());
    message.insert(message.end(), size, 0xAB);
    message.resize(message.size() + PaddingFor(size));
    const auto view = MessageView::Parse(message);
    REQUIRE(view);
    CHECK(view->Find(kData)->size() == size);
    CHECK(DecodeXorAddress(view->Find(kXorPeerAddress).value(), kId) == peer);
  }
}

TEST_CASE("8656_11_5: a payload that no message can hold has no head") {
  std::array<uint8_t, 64> buffer;
  for (const size_t size : {65529u, 65532u, 65535u, 65536u, 1u << 20}) {
    MessageBuilder builder(buffer, Class::kIndication, Method::kData, kId);
    CHECK(builder.FinishBeforeData(size).empty());
  }
  MessageBuilder builder(buffer, Class::kIndication, Method::kData, kId);
  CHECK_FALSE(builder.FinishBeforeData(65528).empty());
}

TEST_CASE("8489_14_8: phrases of the codes in use") {
  CHECK(ErrorPhrase(401) == "Unauthenticated");
  CHECK(ErrorPhrase(437) == "Allocation Mismatch");
  CHECK(ErrorPhrase(508) == "Insufficient Capacity");
  CHECK(ErrorPhrase(499) == "");
  for (const uint16_t code : std::initializer_list<uint16_t>{300, 400, 403, 405, 420, 438, 440, 441,
                                                             442, 443, 446, 447, 486, 487, 500}) {
    CHECK_FALSE(ErrorPhrase(code).empty());
  }
}

}  // namespace
}  // namespace turnpike::stun
