// Send indications (RFC 8656 §11.2).
#include "server/turn/turn_server_impl.h"

namespace turnpike {

using stun::AttributeType;

std::optional<Forward> TurnServer::Impl::OnSend(const Client& client,
                                                const stun::MessageView& message, Now now) {
  // §5: "silently ignored (if it is an indication ...)" without an allocation. One of RFC 6062 has
  // no datagrams.
  Allocation* allocation = table_.Find(client.five_tuple);
  if (allocation == nullptr || allocation->state != AllocationState::kLive ||
      allocation->protocol != RelayProtocol::kUdp) {
    return Drop(DropReason::kNoAllocation, nullptr);
  }
  if (allocation->next_tuple() != nullptr) OnDataFrom(*allocation, client);
  // RFC 8489 §6.3.2: "If the indication contains unknown comprehension-required attributes, the
  // indication is discarded and processing ceases."
  if (!message.UnknownRequired().empty()) return Drop(DropReason::kMalformed, allocation);

  // "The Send indication MUST contain both an XOR-PEER-ADDRESS attribute and a DATA attribute. If
  // one of these attributes is missing or invalid, then the message is discarded." No datagram can
  // be sent to port 0.
  const auto address = message.Find(AttributeType::kXorPeerAddress);
  const auto data = message.Find(AttributeType::kData);
  if (!address || !data) return Drop(DropReason::kMalformed, allocation);
  const auto told = stun::DecodeXorAddress(*address, message.transaction_id());
  if (!told || told->port == 0) return Drop(DropReason::kMalformed, allocation);
  const TransportAddress peer = Canonical(*told);

  // "The server also checks that there is a permission installed for the IP address ... If no such
  // permission exists, the message is discarded. Note that a Send indication never causes the
  // server to refresh the permission."
  Permission* permission = allocation->FindPermission(peer.ip, now.mono);
  if (permission == nullptr || allocation->live_leg(peer.ip.family(), now.mono) == nullptr) {
    return Drop(DropReason::kNoPermission, allocation);
  }
  // "The server MAY impose restrictions on the IP address and port values allowed".
  if (permission->permitted_port != peer.port) {
    if (!options_.peer_filter->Permits(peer)) return Drop(DropReason::kPeerDenied, allocation);
    permission->permitted_port = peer.port;
  }
  std::optional<Forward> forward =
      ToPeer(*allocation, peer, *data, message.bytes().size(), now.mono);
  if (!forward) return forward;
  // §14: "in response to a Send indication containing the DONT-FRAGMENT attribute, ... set the
  // outgoing UDP packet to not fragment."
  forward->dont_fragment = message.Find(AttributeType::kDontFragment).has_value();
  return forward;
}

}  // namespace turnpike
