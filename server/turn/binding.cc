// Binding requests (RFC 8489 §6.3.1, §12).
#include <array>

#include "server/turn/turn_server_impl.h"

namespace turnpike {

using stun::AttributeType;

void TurnServer::Impl::OnBinding(const Recipient& from, const stun::MessageView& message) {
  if (OnNatDiscovery(from, message)) return;
  // §6.3.1: unknown comprehension-required attributes get a 420. The attributes of RFC 5780 ask for
  // an answer from another address or of another size; a server that cannot do that must not
  // pretend.
  auto unknown = message.UnknownRequired();
  for (const AttributeType type :
       {AttributeType::kChangeRequest, AttributeType::kPadding, AttributeType::kResponsePort}) {
    if (message.Find(type)) unknown.push_back(type);
  }
  if (!unknown.empty()) {
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

}  // namespace turnpike
