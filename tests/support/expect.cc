#include "tests/support/expect.h"

#include <doctest/doctest.h>

namespace turnpike {

using stun::AttributeType;
using stun::Class;
using stun::Method;

Reply::Reply(Bytes bytes) : bytes_(std::make_shared<const Bytes>(std::move(bytes))) {
  auto parsed = stun::MessageView::Parse(*bytes_);
  REQUIRE(parsed.has_value());
  view_ = *parsed;
}

int Reply::code() const {
  const auto value = view_->Find(AttributeType::kErrorCode);
  if (!value) return 0;
  const auto error = stun::DecodeErrorCode(*value);
  REQUIRE(error.has_value());
  return error->code;
}

std::string Reply::Text(AttributeType type) const {
  const auto value = view_->Find(type);
  REQUIRE(value.has_value());
  return std::string(AsText(*value));
}

uint32_t Reply::U32(AttributeType type) const {
  const auto value = view_->Find(type);
  REQUIRE(value.has_value());
  return stun::DecodeU32(*value).value();
}

std::string Reply::XorAddress(AttributeType type) const {
  const auto value = view_->Find(type);
  REQUIRE(value.has_value());
  return stun::DecodeXorAddress(*value, view_->transaction_id()).value().ToString();
}

std::vector<AttributeType> Reply::types() const {
  std::vector<AttributeType> types;
  for (size_t offset = stun::kHeaderSize; offset < bytes_->size();) {
    const uint16_t length = LoadU16(*bytes_, offset + 2);
    types.push_back(static_cast<AttributeType>(LoadU16(*bytes_, offset)));
    offset += 4 + length + stun::PaddingFor(length);
  }
  return types;
}

TestClient::TestClient(CoreWorld& world, std::string_view client, std::string_view user,
                       std::string_view pass, Transport transport)
    : username(user), password(pass), world_(world) {
  address.five_tuple = {
      .client = Address(client),
      .server = Address(address.five_tuple.client.ip.is_v4() ? "5.5.5.1:3478" : "[2600::1]:3478"),
      .transport = transport};
  address.link = LinkId(transport == Transport::kUdp ? 1 : 1000u + address.five_tuple.client.port);
}

stun::TransactionId TestClient::NewId() {
  stun::TransactionId id{};
  ByteWriter writer(id);
  writer.WriteU16(address.five_tuple.client.port);
  writer.WriteU16(static_cast<uint16_t>(username.size()));
  writer.WriteU64(++next_id_);
  return id;
}

CredentialKeys TestClient::keys() const {
  return {.md5 = stun::LongTermKeyMd5(username, realm, password),
          .sha256 = stun::LongTermKeySha256(username, realm, password)};
}

Bytes TestClient::Build(Method method, const Fill& fill, const stun::TransactionId& id) {
  Bytes buffer(stun::MessageBuilder::kMaxMessageSize);
  stun::MessageBuilder builder(buffer, Class::kRequest, method, id);
  if (fill) fill(builder);
  if (use_userhash) {
    builder.AddBytes(AttributeType::kUserhash, stun::Userhash(username, realm));
  } else {
    builder.AddText(AttributeType::kUsername, username);
  }
  builder.AddText(AttributeType::kRealm, realm);
  builder.AddText(AttributeType::kNonce, nonce);
  if (negotiate) {
    builder.AddBytes(AttributeType::kPasswordAlgorithms, kPasswordAlgorithms);
    const std::array<uint8_t, 4> choice = {0, static_cast<uint8_t>(algorithm), 0, 0};
    builder.AddBytes(AttributeType::kPasswordAlgorithm, choice);
  }
  const CredentialKeys mine = keys();
  const ByteSpan message =
      builder.FinishWithIntegrity(integrity, KeyOf(mine, algorithm), fingerprint);
  REQUIRE(!message.empty());
  return {message.begin(), message.end()};
}

Bytes TestClient::BuildPlain(Class message_class, Method method, const Fill& fill,
                             bool with_fingerprint) {
  Bytes buffer(stun::MessageBuilder::kMaxMessageSize);
  stun::MessageBuilder builder(buffer, message_class, method, NewId());
  if (fill) fill(builder);
  const ByteSpan message = builder.FinishUnauthenticated(with_fingerprint);
  REQUIRE(!message.empty());
  return {message.begin(), message.end()};
}

bool TestClient::Proves(const Reply& reply) const {
  const CredentialKeys mine = keys();
  const ByteSpan key = KeyOf(mine, algorithm);
  return integrity == stun::IntegrityKind::kSha256
             ? !reply.view().has_integrity() && reply.view().VerifyIntegritySha256(key)
             : !reply.view().has_integrity_sha256() && reply.view().VerifyIntegrity(key);
}

std::optional<Reply> TestClient::Exchange(const Bytes& request) {
  const auto forward = world_.FromClient(address, request);
  CHECK(!forward);
  auto bytes = world_.TakeMessage(address);
  if (!bytes) return std::nullopt;
  CHECK(!world_.TakeMessage(address));  // one answer
  Reply reply(std::move(*bytes));
  CHECK(
      std::ranges::equal(ByteSpan(request).subspan(8, 12), ByteSpan(reply.bytes()).subspan(8, 12)));
  return reply;
}

Reply TestClient::Request(Method method, const Fill& fill) {
  if (nonce.empty()) Challenge();
  auto reply = Exchange(Build(method, fill, NewId()));
  REQUIRE(reply.has_value());
  const int code = reply->code();
  // All that is answered to an authenticated request proves itself; 401 and 438 cannot or need not.
  if (code != 401 && code != 438) CHECK(Proves(*reply));
  return *reply;
}

Reply TestClient::Challenge() {
  auto reply = Exchange(BuildPlain(Class::kRequest, Method::kAllocate, RequestedUdp));
  REQUIRE(reply.has_value());
  REQUIRE(reply->code() == 401);
  realm = reply->Text(AttributeType::kRealm);
  nonce = reply->Text(AttributeType::kNonce);
  return *reply;
}

std::string TestClient::Allocate(const Fill& fill) {
  const Reply reply = Request(Method::kAllocate, UdpAnd(fill));
  REQUIRE(reply.code() == 0);
  const auto log = world_.TakeLog();
  REQUIRE(log.size() == 1);
  REQUIRE(log[0].starts_with("open r"));
  return log[0].substr(5, log[0].find(' ', 5) - 5);
}

Reply TestClient::Permit(std::string_view peer) {
  return Request(Method::kCreatePermission, [&](stun::MessageBuilder& builder) {
    builder.AddXorAddress(AttributeType::kXorPeerAddress, Address(peer));
  });
}

Reply TestClient::Bind(uint16_t channel, std::string_view peer) {
  return Request(Method::kChannelBind, [&](stun::MessageBuilder& builder) {
    builder.AddU32(AttributeType::kChannelNumber, uint32_t{channel} << 16);
    builder.AddXorAddress(AttributeType::kXorPeerAddress, Address(peer));
  });
}

Reply TestClient::Refresh(std::optional<uint32_t> lifetime) {
  return Request(Method::kRefresh, [&](stun::MessageBuilder& builder) {
    if (lifetime) builder.AddU32(AttributeType::kLifetime, *lifetime);
  });
}

std::optional<Relayed> TestClient::Send(std::string_view peer, std::string_view payload,
                                        bool dont_fragment) {
  return world_.FromClient(
      address, BuildPlain(Class::kIndication, Method::kSend, [&](stun::MessageBuilder& builder) {
        builder.AddXorAddress(AttributeType::kXorPeerAddress, Address(peer));
        if (dont_fragment) builder.AddFlag(AttributeType::kDontFragment);
        builder.AddText(AttributeType::kData, payload);
      }));
}

std::optional<Relayed> TestClient::SendChannel(uint16_t channel, std::string_view payload) {
  const auto header =
      stun::ChannelDataHeader(stun::ChannelNumber(channel), static_cast<uint16_t>(payload.size()));
  Bytes bytes(header.begin(), header.end());
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return world_.FromClient(address, bytes);
}

void RequestedUdp(stun::MessageBuilder& builder) {
  builder.AddU32(AttributeType::kRequestedTransport, 17u << 24);
}

TestClient::Fill UdpAnd(TestClient::Fill more) {
  return [more = std::move(more)](stun::MessageBuilder& builder) {
    RequestedUdp(builder);
    if (more) more(builder);
  };
}

}  // namespace turnpike
