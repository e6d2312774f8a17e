// TCP connections with peers (RFC 6062): how they come, what is billed of them, how they end.
#include <algorithm>

#include "common/base/check.h"
#include "server/turn/turn_server_impl.h"

namespace turnpike {

using stun::AttributeType;

// A PeerStreamId has the index of its allocation in its low half.
Allocation* TurnServer::Impl::OwnerOf(PeerStreamId stream) {
  const auto index = static_cast<uint32_t>(stream.value());
  if (index >= table_.used()) return nullptr;
  Allocation& allocation = table_.At(index);
  return allocation.FindStream(stream) != nullptr ? &allocation : nullptr;
}

PeerStream& TurnServer::Impl::AddStream(Allocation& allocation, const TransportAddress& peer,
                                        Now now) {
  const PeerStreamId id(uint64_t{++last_stream_} << 32 | allocation.index);
  allocation.streams.push_back({.id = id,
                                .peer = peer,
                                .state = PeerStreamState::kConnecting,
                                .connection = {},
                                .expires_at = now.mono + kPeerStreamPatience,
                                .request = nullptr});
  stats_.peer_connections.Set(stats_.peer_connections.Get() + 1);
  deadlines_.Arm(allocation.index, allocation.NextDeadline());
  return allocation.streams.back();
}

// OfferStream lets the client bind a connection to `stream`.
ConnectionId TurnServer::Impl::OfferStream(Allocation& allocation, PeerStream& stream, Now now) {
  stream.state = PeerStreamState::kOffered;
  stream.expires_at = now.mono + kPeerStreamPatience;
  stream.connection = directory_.Offer({.owner = core_id_,
                                        .stream = stream.id,
                                        .username = allocation.username,
                                        .keys = allocation.keys,
                                        .control = allocation.five_tuple},
                                       random_);
  return stream.connection;
}

// §5.3.
std::optional<PeerStreamId> TurnServer::Impl::OnPeerAccepted(RelayId relay, const PeerAddress& from,
                                                             Now now) {
  Observe(now);
  Allocation* allocation = table_.Get(relay);
  if (allocation == nullptr ||
      allocation->live_leg(AllocationTable::FamilyOf(relay), now.mono) == nullptr) {
    return Drop(DropReason::kNoAllocation, nullptr);
  }
  const TransportAddress peer = Canonical(from.value());
  // "If no permission for this peer has been installed for this allocation, the server MUST close
  // the connection with the peer immediately".
  if (allocation->FindPermission(peer.ip, now.mono) == nullptr) {
    return Drop(DropReason::kNoPermission, allocation);
  }
  if (allocation->streams.size() >= options_.max_peer_connections) {
    return Drop(DropReason::kLimit, allocation);
  }
  PeerStream& stream = AddStream(*allocation, peer, now);
  CountEvent(PeerConnectionEvent::kAccepted);
  // "the server sends a ConnectionAttempt indication to the client over the control connection".
  const ConnectionId connection = OfferStream(*allocation, stream, now);
  SendIndication(*allocation, stun::Method::kConnectionAttempt, [&](stun::MessageBuilder& builder) {
    builder.AddXorAddress(AttributeType::kXorPeerAddress, peer);
    builder.AddU32(AttributeType::kConnectionId, connection.value());
  });
  CheckTouched(*allocation);
  return stream.id;
}

bool TurnServer::Impl::OnHandedOver(PeerStreamId id, Now now) {
  Observe(now);
  Allocation* allocation = OwnerOf(id);
  if (allocation == nullptr) return false;
  PeerStream& stream = *allocation->FindStream(id);
  TP_CHECK(stream.state == PeerStreamState::kOffered);
  stream.state = PeerStreamState::kBound;
  stream.expires_at = MonoTime::max();
  CountEvent(PeerConnectionEvent::kBound);
  CheckTouched(*allocation);
  return true;
}

MonoTime TurnServer::Impl::OnSpliced(PeerStreamId id, Direction direction, size_t bytes, Now now) {
  Observe(now);
  Allocation* allocation = OwnerOf(id);
  TP_CHECK(allocation != nullptr);
  // A data connection has no framing, so every byte is payload.
  Bill(*allocation, direction, bytes, bytes, now);
  PeerStream& stream = *allocation->FindStream(id);
  if (stream.expires_at != MonoTime::max()) stream.expires_at = now.mono + kPeerStreamPatience;
  if (allocation->throttle == nullptr) return now.mono;
  return allocation->throttle->Charge(direction, bytes, rates_, now.mono);
}

void TurnServer::Impl::OnHalfClosed(PeerStreamId id, Now now) {
  Observe(now);
  Allocation* allocation = OwnerOf(id);
  if (allocation == nullptr) return;
  allocation->FindStream(id)->expires_at = now.mono + kPeerStreamPatience;
  deadlines_.Arm(allocation->index, allocation->NextDeadline());
  CheckTouched(*allocation);
}

void TurnServer::Impl::OnPeerStreamClosed(PeerStreamId id, Now now) {
  Observe(now);
  Allocation* allocation = OwnerOf(id);
  if (allocation == nullptr) return;
  RemoveStream(*allocation, id);
  CheckTouched(*allocation);
}

// CloseStream ends a peer connection that is still open outside.
void TurnServer::Impl::CloseStream(Allocation& allocation, PeerStreamId id) {
  const PeerStream& stream = *allocation.FindStream(id);
  if (stream.state == PeerStreamState::kConnecting) {
    CountEvent(PeerConnectionEvent::kConnectFailed);
    AnswerConnect(allocation, *stream.request, std::nullopt);
  }
  if (stream.state == PeerStreamState::kOffered) CountEvent(PeerConnectionEvent::kNotBound);
  outputs_.push_back(ClosePeer{.stream = id});
  RemoveStream(allocation, id);
}

void TurnServer::Impl::RemoveStream(Allocation& allocation, PeerStreamId id) {
  const PeerStream& stream = *allocation.FindStream(id);
  if (stream.state == PeerStreamState::kOffered) directory_.WithdrawOffer(stream.connection);
  std::erase_if(allocation.streams, [&](const PeerStream& s) { return s.id == id; });
  stats_.peer_connections.Set(stats_.peer_connections.Get() - 1);
}

void TurnServer::Impl::CountEvent(PeerConnectionEvent event) {
  stats_.peer_connection_events[static_cast<size_t>(event)].Add(1);
}

}  // namespace turnpike
