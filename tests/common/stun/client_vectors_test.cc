// What real clients send, recorded: each message is what the RFCs and the server take it for.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "common/stun/attributes.h"
#include "common/stun/channel_data.h"
#include "common/stun/message.h"
#include "tests/support/hex.h"
#include "tests/vectors/chromium.h"
#include "tests/vectors/firefox.h"
#include "tests/vectors/libnice.h"
#include "tests/vectors/pion.h"

namespace turnpike::stun {
namespace {

namespace chromium = vectors::chromium;
namespace firefox = vectors::firefox;
namespace libnice = vectors::libnice;
namespace pion = vectors::pion;

using enum AttributeType;
using Types = std::vector<AttributeType>;

// The header files' constants, so that a test can be written once for all clients.
struct Client {
  std::string_view username;
  std::string_view password;
  std::string_view realm;
  bool fingerprint;          // on every message to the relay but Binding requests
  bool zero_padding = true;  // libnice pads with spaces

  auto Key() const { return LongTermKeyMd5(username, realm, password); }
};
constexpr Client kChromium{chromium::kUsername, chromium::kPassword, chromium::kRealm, false};
constexpr Client kFirefox{firefox::kUsername, firefox::kPassword, firefox::kRealm, true};
constexpr Client kLibnice{libnice::kUsername, libnice::kPassword, libnice::kRealm, false, false};
constexpr Client kPion{pion::kUsername, pion::kPassword, pion::kRealm, true};

Types TypesOf(const MessageView& view) {
  Types types;
  view.ForEach([&](const Attribute& attribute) { types.push_back(attribute.type); });
  return types;
}

// Authenticated returns `types` with what the client adds once it knows realm and nonce.
Types Authenticated(Types types) {
  types.insert(types.end(), {kUsername, kRealm, kNonce});
  return types;
}

void CheckShape(const MessageView& view, Class message_class, Method method, const Types& types) {
  CHECK(view.message_class() == message_class);
  CHECK(view.method() == method);
  CHECK(TypesOf(view) == types);
  CHECK(view.UnknownRequired().empty());
  CHECK_FALSE(view.has_integrity_sha256());
}

// CheckPlain expects a message without credentials.
void CheckPlain(std::string_view hex, Class message_class, Method method, bool fingerprint,
                const Types& types) {
  const auto bytes = FromHex(hex);
  const auto view = MessageView::Parse(bytes);
  REQUIRE(view);
  CheckShape(*view, message_class, method, types);
  CHECK_FALSE(view->has_integrity());
  CHECK(view->has_fingerprint() == fingerprint);
}

// CheckRequest expects the request to hold under the client's key and under no other, and to be
// rebuilt to the byte from what was read of it.
void CheckRequest(const Client& client, std::string_view hex, Method method, const Types& types) {
  const auto bytes = FromHex(hex);
  const auto view = MessageView::Parse(bytes);
  REQUIRE(view);
  CheckShape(*view, Class::kRequest, method, types);
  CHECK(AsText(view->Find(kUsername).value()) == client.username);
  CHECK(AsText(view->Find(kRealm).value()) == client.realm);
  CHECK(view->has_fingerprint() == client.fingerprint);
  CHECK(view->VerifyIntegrity(client.Key()));
  CHECK_FALSE(view->VerifyIntegrity(LongTermKeyMd5(client.username, client.realm, "another")));

  if (!client.zero_padding) return;
  std::array<uint8_t, MessageBuilder::kMaxMessageSize> buffer;
  MessageBuilder builder(buffer, Class::kRequest, method, view->transaction_id());
  view->ForEach(
      [&](const Attribute& attribute) { builder.AddBytes(attribute.type, attribute.value); });
  CHECK(std::ranges::equal(
      builder.FinishWithIntegrity(IntegrityKind::kSha1, client.Key(), client.fingerprint), bytes));
}

void CheckAuthenticated(const Client& client, std::string_view hex, Method method, Types types) {
  CheckRequest(client, hex, method, Authenticated(std::move(types)));
}

// CheckSend expects a Send indication whose payload is an ICE check, itself a STUN message (RFC
// 8445 §7.1), of which `types` are the attributes shown.
void CheckSend(const Client& client, std::string_view hex, const Types& types) {
  CheckPlain(hex, Class::kIndication, Method::kSend, client.fingerprint, {kXorPeerAddress, kData});
  const auto bytes = FromHex(hex);
  const auto view = MessageView::Parse(bytes);
  REQUIRE(view);
  CHECK(DecodeXorAddress(view->Find(kXorPeerAddress).value(), view->transaction_id()));
  const auto check = MessageView::Parse(view->Find(kData).value());
  REQUIRE(check);
  CHECK(check->message_class() == Class::kRequest);
  CHECK(check->method() == Method::kBinding);
  CHECK(check->has_integrity());
  CHECK(check->has_fingerprint());
  CHECK(TypesOf(*check) == types);
}

uint32_t NumberIn(std::string_view hex, AttributeType type) {
  const auto bytes = FromHex(hex);
  const auto view = MessageView::Parse(bytes);
  REQUIRE(view);
  return DecodeU32(view->Find(type).value()).value();
}

// Of RFC 8445 §16.1 and of the register at IANA; the relay only carries them.
constexpr auto kIceControlling = AttributeType{0x802A};
constexpr auto kGoogNetworkInfo = AttributeType{0xC057};

constexpr uint32_t kUdpTransport = 17u << 24;  // RFC 8656 §18.8: protocol 17, then zeros

TEST_CASE("8489_6_1: a browser's Binding request has no attributes at all") {
  CheckPlain(chromium::kBinding, Class::kRequest, Method::kBinding, false, {});
  CheckPlain(firefox::kBinding, Class::kRequest, Method::kBinding, false, {});
}

TEST_CASE("8656_7_1: a browser's first Allocate has no credentials") {
  CheckPlain(chromium::kAllocate, Class::kRequest, Method::kAllocate, false, {kRequestedTransport});
  CheckPlain(firefox::kAllocate, Class::kRequest, Method::kAllocate, true,
             {kRequestedTransport, kLifetime});
  CHECK(NumberIn(chromium::kAllocate, kRequestedTransport) == kUdpTransport);
  CHECK(NumberIn(firefox::kAllocate, kRequestedTransport) == kUdpTransport);
  CHECK(NumberIn(firefox::kAllocate, kLifetime) == 3600);
}

TEST_CASE("8489_9_2_5: a browser's second Allocate is authenticated, and a new transaction") {
  CheckAuthenticated(kChromium, chromium::kAllocateAuthenticated, Method::kAllocate,
                     {kRequestedTransport});
  CheckAuthenticated(kFirefox, firefox::kAllocateAuthenticated, Method::kAllocate,
                     {kRequestedTransport, kLifetime});
  for (const auto& [first, second] :
       {std::pair{chromium::kAllocate, chromium::kAllocateAuthenticated},
        std::pair{firefox::kAllocate, firefox::kAllocateAuthenticated}}) {
    const auto a = FromHex(first), b = FromHex(second);
    CHECK(MessageView::Parse(a)->transaction_id() != MessageView::Parse(b)->transaction_id());
  }
}

TEST_CASE("8656_10_1: a browser's CreatePermission") {
  CheckAuthenticated(kChromium, chromium::kCreatePermission, Method::kCreatePermission,
                     {kXorPeerAddress});
  CheckAuthenticated(kFirefox, firefox::kCreatePermission, Method::kCreatePermission,
                     {kXorPeerAddress});
}

TEST_CASE("8656_11_1: a browser's checks go out as Send indications at first") {
  CheckSend(kChromium, chromium::kSend,
            {kUsername, kGoogNetworkInfo, kIceControlling, kUseCandidate, kPriority});
  CheckSend(kFirefox, firefox::kSend, {kUsername, kUseCandidate, kPriority, kIceControlling});
}

TEST_CASE("8656_12_1: Chromium binds channels from 0x4000 on; Firefox binds none") {
  CheckAuthenticated(kChromium, chromium::kChannelBind, Method::kChannelBind,
                     {kChannelNumber, kXorPeerAddress});
  CHECK(NumberIn(chromium::kChannelBind, kChannelNumber) == uint32_t{kFirstChannel.value()} << 16);
}

TEST_CASE("8656_12_4: Chromium's ChannelData over UDP") {
  const auto bytes = FromHex(chromium::kChannelData);
  REQUIRE(KindOf(bytes.front()) == MessageKind::kChannelData);
  const auto data = ParseChannelData(bytes);
  REQUIRE(data);
  CHECK(data->channel == kFirstChannel);
  CHECK(data->payload.size() + kChannelHeaderSize == bytes.size());
}

TEST_CASE("8656_8_1: a browser releases its allocation with a Refresh of lifetime 0") {
  CheckAuthenticated(kChromium, chromium::kRefresh, Method::kRefresh, {kLifetime});
  CheckAuthenticated(kFirefox, firefox::kRefresh, Method::kRefresh, {kLifetime});
  CHECK(NumberIn(chromium::kRefresh, kLifetime) == 0);
  CHECK(NumberIn(firefox::kRefresh, kLifetime) == 0);
}

TEST_CASE("5389_12_2: libnice asks for its mapped address as in RFC 3489, without the cookie") {
  const auto bytes = FromHex(libnice::kBinding);
  CHECK(MessageView::Parse(bytes).error() == ParseError::kNotStun);
  CHECK(bytes.size() == kHeaderSize);
  CHECK(LoadU16(bytes, 0) == MessageType(Class::kRequest, Method::kBinding));
}

TEST_CASE("8489_14: libnice's requests hold although their padding is not zero") {
  CheckPlain(libnice::kAllocate, Class::kRequest, Method::kAllocate, false,
             {kSoftware, kRequestedTransport});
  CHECK(NumberIn(libnice::kAllocate, kRequestedTransport) == kUdpTransport);
  CheckRequest(kLibnice, libnice::kAllocateAuthenticated, Method::kAllocate,
               {kSoftware, kRequestedTransport, kRealm, kNonce, kUsername});
  CheckRequest(kLibnice, libnice::kCreatePermission, Method::kCreatePermission,
               {kXorPeerAddress, kNonce, kRealm, kUsername});
  CheckRequest(kLibnice, libnice::kChannelBind, Method::kChannelBind,
               {kChannelNumber, kXorPeerAddress, kUsername, kRealm, kNonce});
  CHECK(NumberIn(libnice::kChannelBind, kChannelNumber) == uint32_t{kFirstChannel.value()} << 16);
  CheckRequest(kLibnice, libnice::kRefresh, Method::kRefresh,
               {kSoftware, kLifetime, kRealm, kNonce, kUsername});
  CHECK(NumberIn(libnice::kRefresh, kLifetime) == 0);
  CheckSend(kLibnice, libnice::kSend, {kUseCandidate, kPriority, kIceControlling, kUsername});
}

TEST_CASE("8656_12_4: libnice's ChannelData over UDP is not padded") {
  const auto bytes = FromHex(libnice::kChannelData);
  const auto data = ParseChannelData(bytes);
  REQUIRE(data);
  CHECK(data->channel == kFirstChannel);
  CHECK(AsText(data->payload) == "hello");
}

TEST_CASE("8489_7: pion's requests, with FINGERPRINT on all but Binding") {
  CheckPlain(pion::kBinding, Class::kRequest, Method::kBinding, false, {});
  CheckPlain(pion::kAllocate, Class::kRequest, Method::kAllocate, true, {kRequestedTransport});
  CHECK(NumberIn(pion::kAllocate, kRequestedTransport) == kUdpTransport);
  CheckAuthenticated(kPion, pion::kAllocateAuthenticated, Method::kAllocate, {kRequestedTransport});
  CheckAuthenticated(kPion, pion::kCreatePermission, Method::kCreatePermission, {kXorPeerAddress});
  CheckAuthenticated(kPion, pion::kChannelBind, Method::kChannelBind,
                     {kXorPeerAddress, kChannelNumber});
  CheckAuthenticated(kPion, pion::kRefresh, Method::kRefresh, {kLifetime});
  CHECK(NumberIn(pion::kRefresh, kLifetime) == 0);
}

TEST_CASE("8656_11_1: pion's Send has DATA before XOR-PEER-ADDRESS") {
  CheckPlain(pion::kSend, Class::kIndication, Method::kSend, true, {kData, kXorPeerAddress});
  const auto bytes = FromHex(pion::kSend);
  const auto view = MessageView::Parse(bytes);
  REQUIRE(view);
  CHECK(AsText(view->Find(kData).value()) == "hello from pion");
}

TEST_CASE("8656_12_5: pion pads ChannelData over UDP too; the length leaves the padding out") {
  const auto bytes = FromHex(pion::kChannelData);
  const auto data = ParseChannelData(bytes);
  REQUIRE(data);
  CHECK(AsText(data->payload) == "hello from pion");
  CHECK(bytes.size() == kChannelHeaderSize + data->payload.size() + 1);
}

}  // namespace
}  // namespace turnpike::stun
