// The data path: from a client's message to a peer's datagram and back. Nothing here allocates
// memory or takes a lock; one table lookup per packet.
#include <algorithm>

#include "common/base/check.h"
#include "server/turn/nesting.h"
#include "server/turn/turn_server_impl.h"

namespace turnpike {

using stun::AttributeType;

namespace {

// kMaxUdpMessage is what one UDP datagram can carry over IPv4; nothing larger reaches a UDP client.
constexpr size_t kMaxUdpMessage = 65507;
constexpr size_t kAttributeHeader = 4;

// PeerAddressSize is the length of an XOR-PEER-ADDRESS value (RFC 8489 §14.2).
size_t PeerAddressSize(const TransportAddress& peer) { return peer.ip.is_v4() ? 8 : 20; }

}  // namespace

std::optional<Forward> TurnServer::Impl::OnClientDatagram(const Client& client, ByteSpan bytes,
                                                          Now now) {
  Observe(now);
  if (bytes.empty()) return Drop(DropReason::kMalformed, nullptr);
  if (options_.max_unanswered_bytes != 0) {
    if (Allocation* const known = table_.Find(client.five_tuple)) known->unanswered = 0;
  }
  switch (stun::KindOf(bytes[0])) {
    case stun::MessageKind::kChannelData:
      return OnChannelData(client, bytes, now);
    case stun::MessageKind::kStun:
      return OnStun(client, bytes, now);
    case stun::MessageKind::kOther:
      break;  // RFC 8656 §12: "Reserved; MUST be dropped"
  }
  return Drop(DropReason::kMalformed, nullptr);
}

// RFC 8656 §12.6.
std::optional<Forward> TurnServer::Impl::OnChannelData(const Client& client, ByteSpan bytes,
                                                       Now now) {
  // §5: "if the 5-tuple does not identify an existing allocation, then the message MUST ... be
  // silently ignored".
  Allocation* allocation = table_.Find(client.five_tuple);
  if (allocation == nullptr || allocation->state != AllocationState::kLive) {
    return Drop(DropReason::kNoAllocation, nullptr);
  }
  if (allocation->next_tuple() != nullptr) OnDataFrom(*allocation, client);
  // "too short to contain the claimed length": discarded. So are numbers that no RFC gave to
  // channels.
  const auto message = stun::ParseChannelData(bytes);
  if (!message) return Drop(DropReason::kMalformed, allocation);
  // "If the ChannelData message is received on a channel that is not bound to any peer, then the
  // message is silently discarded." Nothing is refreshed: "MUST NOT refresh either the channel
  // binding or the permission". No permission is asked for either: the binding is the permission to
  // send.
  const Channel* channel = allocation->BoundChannel(message->channel, now.mono);
  if (channel == nullptr) return Drop(DropReason::kNoChannel, allocation);
  if (allocation->live_leg(channel->peer.ip.family(), now.mono) == nullptr) {
    return Drop(DropReason::kNoAllocation, allocation);
  }
  // On a stream the message ends with its padding, which the framer has cut off (§12.5).
  const size_t padding = IsStream(client.five_tuple.transport) ? stun::PaddingFor(bytes.size()) : 0;
  return ToPeer(*allocation, channel->peer, message->payload, bytes.size() + padding, now.mono);
}

// ToPeer makes the datagram of §12.6 and §11.2; `message_size` is what the client spent on it.
std::optional<Forward> TurnServer::Impl::ToPeer(Allocation& allocation,
                                                const TransportAddress& peer, ByteSpan payload,
                                                size_t message_size, MonoTime now) {
  if (HoldsBack(allocation, Direction::kClientToPeer, payload.size(), now)) return std::nullopt;
  return MakeToPeer(allocation, peer, payload, message_size);
}

// MakeToPeer is a function of its own, as MakeToClient is, so that the Forward is made where the
// caller of the core will have it: it is two cache lines.
std::optional<Forward> TurnServer::Impl::MakeToPeer(Allocation& allocation,
                                                    const TransportAddress& peer, ByteSpan payload,
                                                    size_t message_size) {
  std::optional<Forward> made(std::in_place);
  Forward& forward = *made;
  forward.direction = Direction::kClientToPeer;
  forward.wire_bytes = static_cast<uint32_t>(message_size);
  forward.relay = allocation.relay_id(peer.ip.family());
  forward.to = peer;
  if (!translations_.empty()) forward.to.ip = Bound(peer.ip);
  forward.payload = payload;
  ++allocation.forwards_out;
  return made;
}

// RFC 8656 §11.3.
std::optional<Forward> TurnServer::Impl::OnPeerDatagram(RelayId relay, const PeerAddress& peer,
                                                        ByteSpan bytes, Now now) {
  Observe(now);
  const AddressFamily family = AllocationTable::FamilyOf(relay);
  Allocation* allocation = table_.Get(relay);
  if (allocation == nullptr || allocation->live_leg(family, now.mono) == nullptr) {
    return Drop(DropReason::kNoAllocation, nullptr);
  }
  if (translations_.empty()) return ToClient(*allocation, family, peer.value(), bytes, now.mono);
  return ToClient(*allocation, family, Canonical(peer.value()), bytes, now.mono);
}

std::optional<Forward> TurnServer::Impl::ToClient(Allocation& allocation, AddressFamily family,
                                                  const TransportAddress& peer, ByteSpan payload,
                                                  MonoTime now) {
  // §9: "only addresses are compared and port numbers are not considered. If no match is found, ...
  // the server silently discards the UDP datagram."
  if (allocation.FindPermission(peer.ip, now) == nullptr) {
    return Drop(DropReason::kNoPermission, &allocation);
  }
  if (IsLoop(payload)) {
    stats_.loops.Add(1);
    return Drop(DropReason::kLimit, &allocation);
  }
  if (!TakeUnanswered(allocation, payload.size())) return Drop(DropReason::kLimit, &allocation);
  const bool stream = IsStream(allocation.five_tuple.transport);
  // §12.5: "The server ... MUST use the ChannelData message if a channel has been bound to the
  // peer."
  const Channel* channel = allocation.BoundChannel(peer, now);
  const size_t header_size = channel != nullptr ? stun::kChannelHeaderSize
                                                : stun::kHeaderSize + kAttributeHeader +
                                                      PeerAddressSize(peer) + kAttributeHeader;
  // Attributes are always padded, ChannelData only on streams (§12.5).
  const size_t padding = channel == nullptr || stream ? stun::PaddingFor(payload.size()) : 0;
  const size_t length = channel != nullptr
                            ? payload.size()
                            : header_size - stun::kHeaderSize + payload.size() + padding;
  if (length > UINT16_MAX || (!stream && header_size + payload.size() + padding > kMaxUdpMessage)) {
    return Drop(DropReason::kTooLarge, &allocation);
  }
  if (HoldsBack(allocation, Direction::kPeerToClient, payload.size(), now)) return std::nullopt;
  return MakeToClient(allocation, family, payload,
                      {.peer = peer, .channel = channel, .size = header_size, .padding = padding});
}

// IsLoop says whether `payload` has gone through as many relays as none does that is not in a loop.
bool TurnServer::Impl::IsLoop(ByteSpan payload) const {
  const int nesting = static_cast<int>(options_.max_nesting);
  return nesting != 0 && NestingDepth(payload, nesting) == nesting;
}

// TakeUnanswered counts what peers send to a client that says nothing; false: it is too much.
bool TurnServer::Impl::TakeUnanswered(Allocation& allocation, size_t payload) {
  if (options_.max_unanswered_bytes == 0) return true;
  if (allocation.unanswered + payload > options_.max_unanswered_bytes) return false;
  allocation.unanswered += static_cast<uint32_t>(payload);
  return true;
}

// MakeToClient makes the message that ToClient has decided on.
std::optional<Forward> TurnServer::Impl::MakeToClient(Allocation& allocation, AddressFamily family,
                                                      ByteSpan payload, const Framing& framing) {
  std::optional<Forward> made(std::in_place);
  Forward& forward = *made;
  forward.direction = Direction::kPeerToClient;
  forward.wire_bytes = static_cast<uint32_t>(framing.size + payload.size() + framing.padding);
  forward.header_size = static_cast<uint8_t>(framing.size);
  forward.padding_size = static_cast<uint8_t>(framing.padding);
  forward.relay = allocation.relay_id(family);
  forward.link = allocation.link;
  forward.to = allocation.five_tuple.client;
  forward.from = allocation.five_tuple.server;
  forward.payload = payload;
  if (framing.channel != nullptr) {
    const auto header =
        stun::ChannelDataHeader(framing.channel->number, static_cast<uint16_t>(payload.size()));
    std::copy(header.begin(), header.end(), forward.header.begin());
  } else {
    WriteDataHeader(forward, framing.peer);
  }
  ++allocation.forwards_out;
  return made;
}

stun::TransactionId TurnServer::Impl::NewIndicationId() {
  stun::TransactionId id;
  ByteWriter writer(id);
  writer.WriteU32(indication_prefix_);
  writer.WriteU64(++indication_count_);
  return id;
}

// WriteDataHeader writes what stands before the payload in a Data indication (§11.3). It is written
// by hand, since MessageBuilder would copy the payload.
void TurnServer::Impl::WriteDataHeader(Forward& forward, const TransportAddress& peer) {
  const size_t address_size = PeerAddressSize(peer);
  const stun::TransactionId id = NewIndicationId();
  ByteWriter writer(forward.header);
  writer.WriteU16(stun::MessageType(stun::Class::kIndication, stun::Method::kData));
  writer.WriteU16(static_cast<uint16_t>(forward.wire_bytes - stun::kHeaderSize));
  writer.WriteU32(stun::kMagicCookie);
  writer.WriteBytes(id);
  writer.WriteU16(static_cast<uint16_t>(AttributeType::kXorPeerAddress));
  writer.WriteU16(static_cast<uint16_t>(address_size));
  writer.WriteU16(static_cast<uint16_t>(peer.ip.family()));
  writer.WriteU16(peer.port ^ static_cast<uint16_t>(stun::kMagicCookie >> 16));
  // RFC 8489 §14.2: XOR with the magic cookie, and behind it, for IPv6, the transaction id: the
  // sixteen bytes at offset 4 of this very message.
  const ByteSpan ip = peer.ip.bytes();
  for (size_t i = 0; i < ip.size(); ++i) {
    writer.WriteU8(static_cast<uint8_t>(ip[i] ^ forward.header[4 + i]));
  }
  writer.WriteU16(static_cast<uint16_t>(AttributeType::kData));
  writer.WriteU16(static_cast<uint16_t>(forward.payload.size()));
  TP_DCHECK(writer.ok() && writer.size() == forward.header_size);
}

// The datagrams of a run have one sender and one moment. What was found out for the first holds for
// all that are framed like it, and only what their own bytes decide is looked at again.
size_t TurnServer::Impl::ExtendRun(const Forward& forward, ByteSpan message, ByteSpan rest) {
  Allocation* const allocation = table_.Get(forward.relay);
  TP_CHECK(allocation != nullptr && !message.empty());
  // A limit on rates counts datagram by datagram.
  if (allocation->throttle != nullptr) return 0;
  const bool to_peer = forward.direction == Direction::kClientToPeer;
  const bool has_channel = to_peer ? stun::KindOf(message[0]) == stun::MessageKind::kChannelData
                                   : forward.header_size == stun::kChannelHeaderSize;
  if (!has_channel) return 0;
  const ByteSpan header = message.first(to_peer ? stun::kChannelHeaderSize : 0);
  size_t count = 0;
  for (; rest.size() >= message.size(); rest = rest.subspan(message.size()), ++count) {
    if (!std::ranges::equal(rest.first(header.size()), header)) break;
    if (to_peer) continue;
    const ByteSpan payload = rest.first(message.size());
    if (IsLoop(payload) || !TakeUnanswered(*allocation, payload.size())) break;
  }
  allocation->forwards_out += static_cast<uint32_t>(count);
  return count;
}

void TurnServer::Impl::OnSent(const Forward& forward, SendResult result, Now now, uint32_t count) {
  Observe(now);
  Allocation* allocation = table_.Get(forward.relay);
  TP_CHECK(allocation != nullptr && allocation->forwards_out >= count);
  allocation->forwards_out -= count;
  if (result) {
    Bill(*allocation, forward.direction, uint64_t{count} * forward.payload.size(),
         uint64_t{count} * forward.wire_bytes, now, count);
  } else {
    Drop(result.error(), allocation, count);
  }
  if (allocation->state == AllocationState::kEnded) RetireIfDone(*allocation);
}

std::nullopt_t TurnServer::Impl::Drop(DropReason reason, Allocation* allocation, uint32_t count) {
  stats_.dropped_packets[static_cast<size_t>(reason)].Add(count);
  if (allocation != nullptr && allocation->meter.valid()) allocation->meter.AddDrop(reason, count);
  return std::nullopt;
}

// Canonical names a peer as everybody outside knows it: our own relayed addresses by the advertised
// IP, whether a client says the bound one or a datagram comes from there.
TransportAddress TurnServer::Impl::Canonical(TransportAddress peer) const {
  for (const Translation& translation : translations_) {
    if (peer.ip == translation.bind) return {translation.advertise, peer.port};
  }
  return peer;
}

// Bound is where a canonical peer is reached from this host: behind a 1:1 NAT a packet to our own
// advertised IP might not come back (hairpinning), so it goes to the bound one.
IpAddress TurnServer::Impl::Bound(const IpAddress& peer) const {
  for (const Translation& translation : translations_) {
    if (peer == translation.advertise) return translation.bind;
  }
  return peer;
}

}  // namespace turnpike
