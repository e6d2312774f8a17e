// Binding requests (RFC 8489 §6.3.1, §12).
#include <array>
#include <vector>

#include "server/turn/turn_server_impl.h"

namespace turnpike {

using stun::AttributeType;

namespace {

// NotUnderstood lists what a plain Binding request gets a 420 for (RFC 8489 §6.3.1). The attributes
// of RFC 5780 ask for an answer from another address or of another size; a server that cannot do
// that must not pretend.
std::vector<AttributeType> NotUnderstood(const stun::MessageView& message) {
  auto unknown = message.UnknownRequired();
  for (const AttributeType type :
       {AttributeType::kChangeRequest, AttributeType::kPadding, AttributeType::kResponsePort}) {
    if (message.Find(type)) unknown.push_back(type);
  }
  return unknown;
}

}  // namespace

void TurnServer::Impl::OnBinding(const Recipient& from, const stun::MessageView& message) {
  if (OnNatDiscovery(from, message)) return;
  if (const auto unknown = NotUnderstood(message); !unknown.empty()) {
    RejectUnknown(from, unknown);
    return;
  }
  // §12: it "SHOULD NOT utilize the short-term or long-term credential mechanism", so credentials
  // that a request carries are ignored. §6.3.1.1: "the server adds an XOR-MAPPED-ADDRESS attribute
  // to the response".
  Answer(from, stun::Class::kSuccessResponse, [&](stun::MessageBuilder& builder) {
    builder.AddXorAddress(AttributeType::kXorMappedAddress, from.client.five_tuple.client);
  });
}

// OnClassicBinding serves a client that follows RFC 3489, as RFC 8489 §11 still wants it (by way of
// RFC 5389 §12.2); false when `bytes` are not from one. libnice asks for its address this way.
bool TurnServer::Impl::OnClassicBinding(const Client& client, ByteSpan bytes) {
  // "A STUN server can detect when a given Binding request message was sent from an RFC 3489 client
  // by the absence of the correct value in the magic cookie field." RFC 8489 §11: never over DTLS;
  // on streams nothing but the cookie tells where a message begins.
  if (client.five_tuple.transport != Transport::kUdp) return false;
  constexpr uint16_t kBindingRequest = 0x0001;
  if (bytes.size() < stun::kHeaderSize || LoadU16(bytes, 0) != kBindingRequest) return false;
  const uint32_t cookie = LoadU32(bytes, 4);
  if (cookie == stun::kMagicCookie) return false;
  // Apart from the cookie the format is the same: the transaction id was longer by it.
  std::vector<uint8_t> with_cookie(bytes.begin(), bytes.end());
  ByteWriter(std::span(with_cookie).subspan(4)).WriteU32(stun::kMagicCookie);
  const auto message = stun::MessageView::Parse(with_cookie);
  if (!message) return false;
  stats_.messages[static_cast<size_t>(stun::Method::kBinding)][0].Add(1);
  // "it SHOULD copy the value seen in the magic cookie field in the Binding request to the magic
  // cookie field in the Binding response message".
  Recipient from{.client = client,
                 .method = message->method(),
                 .transaction_id = message->transaction_id(),
                 .cookie = cookie,
                 .fingerprint = false,
                 .keys = nullptr,
                 .answer = {}};
  // "RESPONSE-ADDRESS or CHANGE-REQUEST": "unknown comprehension-required attributes".
  if (const auto unknown = NotUnderstood(*message); !unknown.empty()) {
    RejectUnknown(from, unknown);
    return true;
  }
  // "and insert a MAPPED-ADDRESS attribute instead of an XOR-MAPPED-ADDRESS attribute".
  Answer(from, stun::Class::kSuccessResponse, [&](stun::MessageBuilder& builder) {
    builder.AddAddress(AttributeType::kMappedAddress, client.five_tuple.client);
  });
  return true;
}

}  // namespace turnpike
