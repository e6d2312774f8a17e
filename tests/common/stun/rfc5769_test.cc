// The published test vectors: RFC 5769 §2, RFC 8489 appendix B.1.
#include "tests/vectors/rfc5769.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "common/stun/message.h"
#include "tests/support/hex.h"

namespace turnpike::stun {
namespace {

using namespace turnpike::vectors;
using enum AttributeType;

bool SameBytes(ByteSpan a, ByteSpan b) { return std::ranges::equal(a, b); }

TEST_CASE("5769_2_1: a request with a short-term key") {
  const auto bytes = FromHex(kSampleRequest);
  const auto view = MessageView::Parse(bytes);
  REQUIRE(view);
  CHECK(view->message_class() == Class::kRequest);
  CHECK(view->method() == Method::kBinding);
  CHECK(AsText(view->Find(kSoftware).value()) == "STUN test client");
  CHECK(AsText(view->Find(kUsername).value()) == kShortTermUsername);
  CHECK(DecodeU32(view->Find(kPriority).value()) == 0x6e0001ffu);
  CHECK(view->has_fingerprint());
  CHECK(view->VerifyIntegrity(AsBytes(kShortTermPassword)));
  CHECK_FALSE(view->VerifyIntegrity(AsBytes("VOkJxbRl1RmTxUk/WvJxBs")));
  CHECK_FALSE(view->VerifyIntegritySha256(AsBytes(kShortTermPassword)));
  CHECK(view->UnknownRequired() == std::vector{kPriority});
}

void CheckResponse(std::string_view hex, std::string_view mapped) {
  const auto bytes = FromHex(hex);
  const auto view = MessageView::Parse(bytes);
  REQUIRE(view);
  CHECK(view->message_class() == Class::kSuccessResponse);
  const TransportAddress expected = TransportAddress::Parse(mapped).value();
  CHECK(DecodeXorAddress(view->Find(kXorMappedAddress).value(), view->transaction_id()) ==
        expected);
  CHECK(view->VerifyIntegrity(AsBytes(kShortTermPassword)));

  // The builder writes the same bytes, the RFC's own padding (spaces) apart, which is under the
  // MAC.
  std::array<uint8_t, MessageBuilder::kMaxMessageSize> buffer;
  MessageBuilder builder(buffer, Class::kSuccessResponse, Method::kBinding, view->transaction_id());
  builder.AddXorAddress(kXorMappedAddress, expected);
  const auto rebuilt = MessageView::Parse(builder.FinishUnauthenticated(false));
  REQUIRE(rebuilt);
  CHECK(SameBytes(rebuilt->Find(kXorMappedAddress).value(), view->Find(kXorMappedAddress).value()));
}

TEST_CASE("5769_2_2: an IPv4 response") { CheckResponse(kSampleIpv4Response, "192.0.2.1:32853"); }

TEST_CASE("5769_2_3: an IPv6 response") {
  CheckResponse(kSampleIpv6Response, "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
}

TEST_CASE("5769_2_4: a request with a long-term credential is parsed and rebuilt to the byte") {
  const auto bytes = FromHex(kLongTermRequest);
  const auto view = MessageView::Parse(bytes);
  REQUIRE(view);
  const auto key = LongTermKeyMd5(kLongTermUsername, kLongTermRealm, kLongTermPassword);
  CHECK(AsText(view->Find(kUsername).value()) == kLongTermUsername);
  CHECK(view->VerifyIntegrity(key));

  std::array<uint8_t, MessageBuilder::kMaxMessageSize> buffer;
  MessageBuilder builder(buffer, Class::kRequest, Method::kBinding, view->transaction_id());
  builder.AddText(kUsername, kLongTermUsername);
  builder.AddText(kNonce, kLongTermNonce);
  builder.AddText(kRealm, kLongTermRealm);
  CHECK(SameBytes(builder.FinishWithIntegrity(IntegrityKind::kSha1, key, false), bytes));
}

TEST_CASE("8489_B_1: USERHASH and MESSAGE-INTEGRITY-SHA256 (erratum 6268), to the byte") {
  const auto bytes = FromHex(kUserhashRequest);
  const auto view = MessageView::Parse(bytes);
  REQUIRE(view);
  const auto key = LongTermKeySha256(kLongTermUsername, kLongTermRealm, kLongTermPassword);
  const auto userhash = Userhash(kLongTermUsername, kLongTermRealm);
  CHECK(SameBytes(view->Find(kUserhash).value(), userhash));
  CHECK(view->VerifyIntegritySha256(key));
  CHECK_FALSE(view->VerifyIntegrity(key));

  std::array<uint8_t, MessageBuilder::kMaxMessageSize> buffer;
  MessageBuilder builder(buffer, Class::kRequest, Method::kBinding, view->transaction_id());
  builder.AddBytes(kUserhash, userhash);
  builder.AddText(kNonce, kUserhashNonce);
  builder.AddText(kRealm, kLongTermRealm);
  builder.AddU32(kPasswordAlgorithm, 0x00020000);
  CHECK(SameBytes(builder.FinishWithIntegrity(IntegrityKind::kSha256, key, false), bytes));
}

TEST_CASE("14_5: any flipped bit of a vector fails its integrity or its parsing") {
  const auto original = FromHex(kLongTermRequest);
  const auto key = LongTermKeyMd5(kLongTermUsername, kLongTermRealm, kLongTermPassword);
  for (size_t bit = 0; bit < original.size() * 8; ++bit) {
    auto bytes = original;
    bytes[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    const auto view = MessageView::Parse(bytes);
    if (view && view->VerifyIntegrity(key)) FAIL("bit " << bit << " is not protected");
  }
}

TEST_CASE(
    "14_7: any flipped bit of a message with FINGERPRINT fails its parsing or its integrity") {
  const auto original = FromHex(kSampleRequest);
  for (size_t bit = 0; bit < original.size() * 8; ++bit) {
    auto bytes = original;
    bytes[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    const auto view = MessageView::Parse(bytes);
    // The type of FINGERPRINT itself may turn into that of another attribute, which is ignored
    // behind MESSAGE-INTEGRITY: then the message is what it was, without a fingerprint.
    if (view && view->has_fingerprint() && view->VerifyIntegrity(AsBytes(kShortTermPassword))) {
      FAIL("bit " << bit << " is not protected");
    }
  }
}

}  // namespace
}  // namespace turnpike::stun
