// What stands behind TurnServer: its state, and the handlers, one file per method. Only the files
// of server/turn that implement TurnServer include this.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/turn/allocation.h"
#include "server/turn/allocation_table.h"
#include "server/turn/authenticate.h"
#include "server/turn/deadlines.h"
#include "server/turn/mobility_ticket.h"
#include "server/turn/source_limiter.h"
#include "server/turn/turn_server.h"

namespace turnpike {

// ErrorStatus is the code of an error response (RFC 8489 §14.8, RFC 8656 §19).
enum class ErrorStatus : uint16_t {
  kTryAlternate = 300,
  kBadRequest = 400,
  kUnauthenticated = 401,
  kForbidden = 403,
  kMobilityForbidden = 405,  // RFC 8016 §3.4
  kUnknownAttribute = 420,
  kAllocationMismatch = 437,
  kAddressFamilyNotSupported = 440,
  kWrongCredentials = 441,
  kUnsupportedTransport = 442,
  kPeerAddressFamilyMismatch = 443,
  kConnectionAlreadyExists = 446,
  kConnectionTimeoutOrFailure = 447,
  kAllocationQuotaReached = 486,
  kInsufficientCapacity = 508,
};

// Handled is what became of a request: answered or under way, or the error it gets.
using Handled = std::expected<void, ErrorStatus>;

// Recipient is where an answer goes and how it proves itself. Without `keys` it cannot.
struct Recipient {
  Client client;
  stun::Method method = stun::Method::kBinding;
  stun::TransactionId transaction_id{};
  uint32_t cookie = stun::kMagicCookie;  // another one: a client of RFC 3489
  bool fingerprint = false;              // the request had one
  const CredentialKeys* keys = nullptr;
  AnswerKind answer;
};

// ShownTicket is the MOBILITY-TICKET of a Refresh, or the error that it gets.
using ShownTicket = std::expected<MobilityTicket, ErrorStatus>;

// Request is an authenticated request on its way through a handler.
struct Request {
  const stun::MessageView& message;
  const Recipient& from;
  const Authenticated& who;
  // Of this 5-tuple, or of the ticket; set for all but Allocate and ConnectionBind.
  Allocation* allocation = nullptr;
  std::optional<ShownTicket> ticket;  // Refresh only
  Now now;

  const FiveTuple& five_tuple() const { return from.client.five_tuple; }
};

class TurnServer::Impl {
 public:
  Impl(TurnOptions options, const NonceSecret& nonce_secret, Directory& directory,
       RandomSource& random);

  // The functions of TurnServer.
  std::optional<Forward> OnClientDatagram(const Client& client, ByteSpan bytes, Now now);
  std::optional<Forward> OnPeerDatagram(RelayId relay, const PeerAddress& peer, ByteSpan bytes,
                                        Now now);
  void OnIcmp(RelayId relay, const PeerAddress& peer, const IcmpError& error, Now now);
  size_t ExtendRun(const Forward& forward, ByteSpan message, ByteSpan rest);
  void OnSent(const Forward& forward, SendResult result, Now now, uint32_t count);
  void OnRelayOpened(RelayId relay, std::expected<SessionMeter, OpenError> result, Now now);
  std::optional<PeerStreamId> OnPeerAccepted(RelayId relay, const PeerAddress& peer, Now now);
  void OnPeerConnected(PeerStreamId stream, bool connected, Now now);
  bool OnHandedOver(PeerStreamId stream, Now now);
  MonoTime OnSpliced(PeerStreamId stream, Direction direction, size_t bytes, Now now);
  void OnHalfClosed(PeerStreamId stream, Now now);
  void OnPeerStreamClosed(PeerStreamId stream, Now now);
  CoreId core_id() const { return core_id_; }
  void OnLinkClosed(LinkId link, Now now);
  bool HasAllocation(LinkId link) const { return by_link_.contains(link); }
  void OnTimer(Now now);
  std::optional<MonoTime> NextDeadline() const;
  std::optional<Output> PollOutput();
  void Drain() { draining_ = true; }
  size_t EndSessions(std::span<const SessionId> sessions, CloseReason reason, Now now);
  void CloseAll(CloseReason reason, Now now);
  void SetOptions(TurnOptions options);
  void MeasureUse(Now now);
  const TurnStats& stats() const { return stats_; }
  size_t allocation_count() const { return live_count_; }
  bool IsConsistent() const;

 private:
  // Translation is a relay address whose bound and advertised forms differ (1:1 NAT).
  struct Translation {
    IpAddress bind;
    IpAddress advertise;
  };

  // turn_server.cc: the driving contract and the clockwork.
  void Observe(Now now);
  void CheckTouched(const Allocation& allocation);
  BucketIndex CurrentBucket(WallTime now);

  // relay.cc: the data path.
  std::optional<Forward> OnChannelData(const Client& client, ByteSpan bytes, Now now);
  std::optional<Forward> ToPeer(Allocation& allocation, const TransportAddress& peer,
                                ByteSpan payload, size_t message_size, MonoTime now);
  std::optional<Forward> MakeToPeer(Allocation& allocation, const TransportAddress& peer,
                                    ByteSpan payload, size_t message_size);
  std::optional<Forward> ToClient(Allocation& allocation, AddressFamily family,
                                  const TransportAddress& peer, ByteSpan payload, MonoTime now);
  // Framing is how a peer's datagram is wrapped for the client.
  struct Framing {
    const TransportAddress& peer;
    const Channel* channel = nullptr;  // nullptr: a Data indication
    size_t size = 0;                   // of the header
    size_t padding = 0;
  };
  std::optional<Forward> MakeToClient(Allocation& allocation, AddressFamily family,
                                      ByteSpan payload, const Framing& framing);
  void WriteDataHeader(Forward& forward, const TransportAddress& peer);
  stun::TransactionId NewIndicationId();
  bool IsLoop(ByteSpan payload) const;
  void Bill(Allocation& allocation, Direction direction, uint64_t payload, uint64_t wire, Now now,
            uint32_t packets = 1);
  std::nullopt_t Drop(DropReason reason, Allocation* allocation, uint32_t count = 1);
  bool TakeUnanswered(Allocation& allocation, size_t payload);
  TransportAddress Canonical(TransportAddress peer) const;
  IpAddress Bound(const IpAddress& peer) const;

  // dispatch.cc: STUN messages to handlers, and the one place that answers.
  std::optional<Forward> OnStun(const Client& client, ByteSpan bytes, Now now);
  void OnRequest(const Client& client, const stun::MessageView& message, Now now);
  void OnTurnRequest(const Recipient& from, const stun::MessageView& message,
                     Allocation* allocation, const std::optional<ShownTicket>& ticket, Now now);
  Handled Dispatch(const Request& request);
  void RejectUnauthenticated(const Recipient& to, const AuthRejection& rejection, Now now);
  void RejectUnknown(const Recipient& to, std::span<const stun::AttributeType> unknown);
  void RejectWith(const Recipient& to, ErrorStatus status);
  void CountError(stun::Method method, uint16_t code);
  bool MayAnswer(const Recipient& to);
  bool MayAttempt(const Recipient& from, const stun::MessageView& message);
  template <typename Fill>
  bool Answer(const Recipient& to, stun::Class message_class, Fill fill);
  template <typename Fill>
  void SendIndication(const Allocation& allocation, stun::Method method, Fill fill);

  // One file per method.
  void OnBinding(const Recipient& from, const stun::MessageView& message);
  bool OnClassicBinding(const Client& client, ByteSpan bytes);
  bool OnNatDiscovery(const Recipient& from, const stun::MessageView& message);
  Handled OnAllocate(const Request& request);
  Handled OnRefresh(const Request& request);
  Handled OnCreatePermission(const Request& request);
  Handled OnChannelBind(const Request& request);
  std::optional<Forward> OnSend(const Client& client, const stun::MessageView& message, Now now);

  // mobility.cc: allocations whose client moves (RFC 8016).
  std::optional<ShownTicket> TicketOf(const stun::MessageView& message) const;
  Allocation* FindSettled(const MobilityTicket& ticket, Now now);
  void AddTicket(stun::MessageBuilder& builder, const Allocation& allocation, uint32_t serial);
  bool IsLatest(const Allocation& allocation, const FiveTuple& tuple) const;
  bool IsMoveAgain(const Request& request) const;
  Handled CheckMove(const Request& request);
  void Move(Allocation& allocation, const Client& to, Now now);
  void OnDataFrom(Allocation& allocation, const Client& client);
  void CompleteMove(Allocation& allocation);
  void LeaveTuple(Allocation& allocation, const Client& left);
  void LeaveNext(Allocation& allocation);
  void LeaveAll(Allocation& allocation);

  // connect.cc and peer_streams.cc: TCP connections with peers (RFC 6062).
  Handled OnConnect(const Request& request);
  Handled OnConnectionBind(const Request& request);
  std::optional<OfferedStream> OfferFor(const stun::MessageView& message) const;
  PeerStream& AddStream(Allocation& allocation, const TransportAddress& peer, Now now);
  Allocation* OwnerOf(PeerStreamId stream);
  ConnectionId OfferStream(Allocation& allocation, PeerStream& stream, Now now);
  void AnswerConnect(const Allocation& allocation, const ConnectRequest& request,
                     std::optional<ConnectionId> connection);
  void RemoveStream(Allocation& allocation, PeerStreamId id);
  void CloseStream(Allocation& allocation, PeerStreamId id);
  template <typename Predicate>
  void CloseStreamsIf(Allocation& allocation, Predicate matches);
  void CountEvent(PeerConnectionEvent event);

  // allocate.cc and open_relay.cc: what an allocation goes through until it lives.
  Handled StartAllocation(const Request& request, Opening opening);
  std::optional<TransportAddress> ChoosePort(AddressFamily family, PortParity parity);
  void RequestOpen(Allocation& allocation, const TransportAddress& bind);
  void OpenNext(Allocation& allocation, Now now);
  void Refuse(Allocation& allocation, ErrorStatus status);
  void FinishOpening(Allocation& allocation, Now now);
  void ReleasePort(const Allocation& allocation, const TransportAddress& bind);
  Recipient AllocateRecipient(const Allocation& allocation) const;
  void AnswerAllocate(const Allocation& allocation);
  bool SupportsFamily(AddressFamily family) const;
  bool IsOwnRelay(const FiveTuple& tuple);
  Duration GrantedLifetime(std::optional<uint32_t> requested) const;

  // limits.cc: quotas, and rates.
  std::expected<std::shared_ptr<AccountQuota>, ErrorStatus> TakeQuota(const QuotaHolder& holder,
                                                                      MonoTime now);
  void JoinAccount(Allocation& allocation, const std::shared_ptr<AccountQuota>& quota);
  void LeaveAccount(Allocation& allocation, MonoTime now);
  void UpdateThrottle(Allocation& allocation);
  // HoldsBack says that a packet exceeds a rate, and counts it. It is asked for every packet.
  bool HoldsBack(Allocation& allocation, Direction direction, size_t payload, MonoTime now) {
    return allocation.throttle != nullptr && ExceedsRate(allocation, direction, payload, now);
  }
  bool ExceedsRate(Allocation& allocation, Direction direction, size_t payload, MonoTime now);

  // redirect.cc: other servers.
  bool Redirects(const Client& client) const;
  void AddAlternate(stun::MessageBuilder& builder, const Client& client);

  // lifecycle.cc: how allocations end.
  void Settle(Allocation& allocation, Now now);
  Allocation* FindSettled(const FiveTuple& tuple, Now now);
  void CloseLeg(Allocation& allocation, AddressFamily family);
  void End(Allocation& allocation, CloseReason reason, Now now);
  void RetireIfDone(Allocation& allocation);
  void CountClosed(const Allocation& allocation, Now now);
  Counter& Gauge(const Allocation& allocation, AddressFamily family);

  TurnOptions options_;
  std::vector<Translation> translations_;  // usually empty
  const NonceSecret nonce_secret_;
  const TicketSeal tickets_;
  Directory& directory_;
  RandomSource& random_;
  Authenticator authenticator_;

  RateLimits rates_;
  // Of accounts that have allocations here. It outlives the table, whose records lead to it.
  std::unordered_map<AccountQuota*, AccountShare> shares_;
  MonoTime measured_at_{};
  SourceLimiter answers_;
  SourceLimiter attempts_;

  AllocationTable table_;
  Deadlines deadlines_;
  // Allocations of clients that come over a connection, whose end ends them.
  std::unordered_map<LinkId, uint32_t> by_link_;
  std::deque<MonoTime> reservation_deadlines_;  // of the tokens given out here, in order
  std::deque<Output> outputs_;
  const CoreId core_id_;
  uint32_t last_stream_ = 0;
  size_t live_count_ = 0;
  bool draining_ = false;
  size_t next_alternate_ = 0;  // whose turn it is

  // The current bucket and the wall time for which it holds.
  BucketIndex bucket_;
  WallTime bucket_begin_{};
  WallTime bucket_end_{};

  // Data indications are never answered, so their transaction ids only have to differ.
  uint32_t indication_prefix_ = 0;
  uint64_t indication_count_ = 0;

  MonoTime latest_ = MonoTime::min();  // of all `now` seen
  uint32_t mutations_ = 0;
  TurnStats stats_;
};

// Bill counts what the kernel took. Inline, since OnSent calls it for every packet.
inline void TurnServer::Impl::Bill(Allocation& allocation, Direction direction, uint64_t payload,
                                   uint64_t wire, Now now, uint32_t packets) {
  // The only line that makes bytes billable.
  allocation.meter.Add(direction, payload, wire, CurrentBucket(now.wall), packets);
  const auto transport = static_cast<size_t>(allocation.metered_as);
  stats_.relayed_bytes[transport][static_cast<size_t>(direction)].Add(payload);
  stats_.relayed_packets[transport][static_cast<size_t>(direction)].Add(packets);
}

// CloseStreamsIf closes the peer connections that `matches` picks.
template <typename Predicate>
void TurnServer::Impl::CloseStreamsIf(Allocation& allocation, Predicate matches) {
  std::vector<PeerStreamId> picked;
  for (const PeerStream& stream : allocation.streams) {
    if (matches(stream)) picked.push_back(stream.id);
  }
  for (const PeerStreamId id : picked) CloseStream(allocation, id);
}

// Answer sends an answer to `to`; false when its source has had too many that nobody vouches for.
template <typename Fill>
bool TurnServer::Impl::Answer(const Recipient& to, stun::Class message_class, Fill fill) {
  if (to.keys == nullptr && !MayAnswer(to)) return false;
  std::array<uint8_t, stun::MessageBuilder::kMaxMessageSize> buffer;
  stun::MessageBuilder builder(buffer, message_class, to.method, to.transaction_id);
  fill(builder);
  // RFC 8656 §5: SOFTWARE in Allocate and Refresh answers; an unauthenticated one stays small.
  const bool tells_software =
      to.method == stun::Method::kAllocate || to.method == stun::Method::kRefresh;
  if (to.keys != nullptr && tells_software && !options_.software.empty()) {
    builder.AddText(stun::AttributeType::kSoftware, options_.software);
  }
  const ByteSpan message =
      to.keys != nullptr
          ? builder.FinishWithIntegrity(to.answer.integrity, KeyOf(*to.keys, to.answer.algorithm),
                                        to.fingerprint)
          : builder.FinishUnauthenticated(to.fingerprint);
  TP_CHECK(!message.empty());
  stats_.messages[static_cast<size_t>(to.method)][static_cast<size_t>(message_class)].Add(1);
  SendMessage send{.link = to.client.link,
                   .from = to.client.five_tuple.server,
                   .to = to.client.five_tuple.client,
                   .bytes = {message.begin(), message.end()},
                   .by_address = false};
  ByteWriter(std::span(send.bytes).subspan(4)).WriteU32(to.cookie);
  outputs_.push_back(std::move(send));
  return true;
}

// SendIndication tells the client of `allocation` something that it did not ask for.
template <typename Fill>
void TurnServer::Impl::SendIndication(const Allocation& allocation, stun::Method method,
                                      Fill fill) {
  std::array<uint8_t, stun::MessageBuilder::kMaxMessageSize> buffer;
  stun::MessageBuilder builder(buffer, stun::Class::kIndication, method, NewIndicationId());
  fill(builder);
  const ByteSpan message = builder.FinishUnauthenticated(false);
  TP_CHECK(!message.empty());
  stats_.messages[static_cast<size_t>(method)][static_cast<size_t>(stun::Class::kIndication)].Add(
      1);
  outputs_.push_back(SendMessage{.link = allocation.link,
                                 .from = allocation.five_tuple.server,
                                 .to = allocation.five_tuple.client,
                                 .bytes = {message.begin(), message.end()},
                                 .by_address = false});
}

}  // namespace turnpike
