// Connect and ConnectionBind requests (RFC 6062 §5.2, §5.4).
#include <algorithm>

#include "server/turn/turn_server_impl.h"

namespace turnpike {

using stun::AttributeType;

namespace {

std::optional<ConnectionId> ConnectionIdOf(const stun::MessageView& message) {
  const auto value = message.Find(AttributeType::kConnectionId);
  const auto id = value ? stun::DecodeU32(*value) : std::nullopt;
  return id ? std::optional<ConnectionId>(*id) : std::nullopt;
}

}  // namespace

// §5.2.
Handled TurnServer::Impl::OnConnect(const Request& request) {
  Allocation& allocation = *request.allocation;
  // A UDP allocation connects nobody.
  if (allocation.protocol != RelayProtocol::kTcp) return std::unexpected(ErrorStatus::kForbidden);
  // "If the request does not contain an XOR-PEER-ADDRESS attribute, or if such attribute is
  // invalid": 400.
  const auto value = request.message.Find(AttributeType::kXorPeerAddress);
  if (!value) return std::unexpected(ErrorStatus::kBadRequest);
  const auto told = stun::DecodeXorAddress(*value, request.message.transaction_id());
  if (!told || told->port == 0) return std::unexpected(ErrorStatus::kBadRequest);
  const TransportAddress peer = Canonical(*told);
  // A Connect to the same peer that is "currently processing", or whose connections "are either
  // pending or active": 446.
  if (std::ranges::find(allocation.streams, peer, &PeerStream::peer) != allocation.streams.end()) {
    return std::unexpected(ErrorStatus::kConnectionAlreadyExists);
  }
  const Leg* leg = allocation.live_leg(peer.ip.family(), request.now.mono);
  if (leg == nullptr) return std::unexpected(ErrorStatus::kPeerAddressFamilyMismatch);
  // "forbidden by local policy": 403. A relayed address that connects to itself would only echo.
  const TransportAddress to{Bound(peer.ip), peer.port};
  if (to == leg->bind || !options_.peer_filter->Permits(peer)) {
    return std::unexpected(ErrorStatus::kForbidden);
  }
  if (allocation.streams.size() >= options_.max_peer_connections) {
    return std::unexpected(ErrorStatus::kInsufficientCapacity);
  }
  PeerStream& stream = AddStream(allocation, peer, request.now);
  stream.request =
      std::make_unique<ConnectRequest>(ConnectRequest{.transaction_id = request.from.transaction_id,
                                                      .fingerprint = request.from.fingerprint,
                                                      .keys = request.who.keys,
                                                      .answer = request.who.answer});
  outputs_.push_back(ConnectPeer{.stream = stream.id, .from = leg->bind, .to = to});
  CheckTouched(allocation);
  return {};
}

void TurnServer::Impl::OnPeerConnected(PeerStreamId id, bool connected, Now now) {
  Observe(now);
  Allocation* allocation = OwnerOf(id);
  if (allocation == nullptr) return;
  PeerStream& stream = *allocation->FindStream(id);
  const auto request = std::move(stream.request);
  if (connected) {
    CountEvent(PeerConnectionEvent::kConnected);
    AnswerConnect(*allocation, *request, OfferStream(*allocation, stream, now));
  } else {
    // "If the connection attempt fails or times out, the server MUST return a 447".
    CountEvent(PeerConnectionEvent::kConnectFailed);
    AnswerConnect(*allocation, *request, std::nullopt);
    RemoveStream(*allocation, id);
  }
  CheckTouched(*allocation);
}

// AnswerConnect answers with the id of the connection, or with 447.
void TurnServer::Impl::AnswerConnect(const Allocation& allocation, const ConnectRequest& request,
                                     std::optional<ConnectionId> connection) {
  const Recipient to{.client = {.five_tuple = allocation.five_tuple, .link = allocation.link},
                     .method = stun::Method::kConnect,
                     .transaction_id = request.transaction_id,
                     .fingerprint = request.fingerprint,
                     .keys = &request.keys,
                     .answer = request.answer};
  if (!connection) return RejectWith(to, ErrorStatus::kConnectionTimeoutOrFailure);
  Answer(to, stun::Class::kSuccessResponse, [&](stun::MessageBuilder& builder) {
    builder.AddU32(AttributeType::kConnectionId, connection->value());
  });
}

// OfferFor finds the peer connection that a ConnectionBind request means. Its client proves itself
// with the keys of the allocation, also when they are not those of a new client any more.
std::optional<OfferedStream> TurnServer::Impl::OfferFor(const stun::MessageView& message) const {
  if (message.method() != stun::Method::kConnectionBind) return std::nullopt;
  const auto id = ConnectionIdOf(message);
  return id ? directory_.FindOffer(*id) : std::nullopt;
}

// §5.4. The peer connection may belong to another worker's core: then the client's connection moves
// there. It is the client's end that moves, socket and TLS session together, since a session's
// counters have one writer, the worker of its allocation.
Handled TurnServer::Impl::OnConnectionBind(const Request& request) {
  // "If the client connection transport is not TCP or TLS": 400. An allocation's own connection
  // carries its messages.
  if (!IsStream(request.five_tuple().transport) || request.allocation != nullptr) {
    return std::unexpected(ErrorStatus::kBadRequest);
  }
  // "does not contain the CONNECTION-ID attribute, or ... does not refer to an existing pending
  // connection": 400.
  const auto id = ConnectionIdOf(request.message);
  const auto offer = id ? directory_.FindOffer(*id) : std::nullopt;
  if (!offer) return std::unexpected(ErrorStatus::kBadRequest);
  if (offer->username != request.who.principal.username) {
    stats_.auth_failures[static_cast<size_t>(AuthFailure::kWrongUser)].Add(1);
    return std::unexpected(ErrorStatus::kWrongCredentials);
  }
  if (!directory_.TakeOffer(*id)) return std::unexpected(ErrorStatus::kBadRequest);
  Answer(request.from, stun::Class::kSuccessResponse, [](stun::MessageBuilder&) {});
  outputs_.push_back(
      BindPeer{.link = request.from.client.link, .owner = offer->owner, .stream = offer->stream});
  return {};
}

}  // namespace turnpike
