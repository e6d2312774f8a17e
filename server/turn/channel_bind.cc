// ChannelBind requests (RFC 8656 §12.2).
#include "server/turn/turn_server_impl.h"

namespace turnpike {

using stun::AttributeType;

Handled TurnServer::Impl::OnChannelBind(const Request& request) {
  Allocation& allocation = *request.allocation;
  const MonoTime now = request.now.mono;
  // A channel carries datagrams, which a TCP allocation (RFC 6062) does not have.
  if (allocation.protocol == RelayProtocol::kTcp) return std::unexpected(ErrorStatus::kForbidden);
  // "The request contains both a CHANNEL-NUMBER and an XOR-PEER-ADDRESS attribute": else 400. A
  // channel to port 0 could never carry a datagram.
  const auto number_value = request.message.Find(AttributeType::kChannelNumber);
  const auto address_value = request.message.Find(AttributeType::kXorPeerAddress);
  if (!number_value || !address_value ||
      !stun::HasValidShape(AttributeType::kChannelNumber, *number_value)) {
    return std::unexpected(ErrorStatus::kBadRequest);
  }
  const auto told = stun::DecodeXorAddress(*address_value, request.message.transaction_id());
  if (!told || told->port == 0) return std::unexpected(ErrorStatus::kBadRequest);
  const TransportAddress peer = Canonical(*told);
  // "The channel number is in the range 0x4000 through 0x4FFF (inclusive)": else 400. Clients of
  // the older RFC 5766 with its wider range are told by their FINGERPRINT, which they put on
  // everything: coturn's turnutils_uclient, the load client everybody has, gives up at a 400.
  const stun::ChannelNumber number(LoadU16(*number_value, 0));
  const stun::ChannelNumber last =
      request.message.has_fingerprint() ? stun::kLastRfc5766Channel : stun::kLastChannel;
  if (number < stun::kFirstChannel || number > last) {
    return std::unexpected(ErrorStatus::kBadRequest);
  }
  // "The channel number is not currently bound to a different transport address", "The transport
  // address is not currently bound to a different channel number": else 400. Both hold too while an
  // expired binding rests (§12), so that a late packet cannot reach the wrong peer.
  allocation.Expire(now);
  Channel* const by_number =
      allocation.channels.FindIf([&](const Channel& c) { return c.number == number; });
  Channel* const by_peer =
      allocation.channels.FindIf([&](const Channel& c) { return c.peer == peer; });
  if (by_number != by_peer) return std::unexpected(ErrorStatus::kBadRequest);
  // A family that is not that of a relayed transport address: 443.
  if (allocation.live_leg(peer.ip.family(), now) == nullptr) {
    return std::unexpected(ErrorStatus::kPeerAddressFamilyMismatch);
  }
  // "restrictions on the IP address and port values allowed": 403.
  if (!options_.peer_filter->Permits(peer)) return std::unexpected(ErrorStatus::kForbidden);
  // "unable to fulfill the request due to some capacity limit": 508.
  const bool new_permission = allocation.FindPermission(peer.ip, now) == nullptr;
  if ((by_number == nullptr && allocation.channels.size() >= options_.max_channels) ||
      (new_permission && allocation.permissions.size() >= options_.max_permissions)) {
    return std::unexpected(ErrorStatus::kInsufficientCapacity);
  }
  // "creates or refreshes the channel binding", and "installs or refreshes a permission".
  if (by_number != nullptr) {
    by_number->expires_at = now + kChannelLifetime;
  } else {
    allocation.channels.Add({.peer = peer, .number = number, .expires_at = now + kChannelLifetime});
  }
  allocation.InstallPermission(peer.ip, now);
  deadlines_.Arm(allocation.index, allocation.NextDeadline());
  Answer(request.from, stun::Class::kSuccessResponse, [](stun::MessageBuilder&) {});
  CheckTouched(allocation);
  return {};
}

}  // namespace turnpike
