// Allocations whose client moves to another network (RFC 8016). A Refresh with the ticket makes the
// new 5-tuple a second one of the allocation; the first data from there makes it the only one.
#include <algorithm>

#include "common/base/check.h"
#include "server/turn/turn_server_impl.h"

namespace turnpike {

using stun::AttributeType;

// TicketOf reads the ticket of a Refresh; nullopt when the request has none to show.
std::optional<ShownTicket> TurnServer::Impl::TicketOf(const stun::MessageView& message) const {
  if (message.method() != stun::Method::kRefresh) return std::nullopt;
  const auto value = message.Find(AttributeType::kMobilityTicket);
  if (!value) return std::nullopt;
  // §3.2.2: "the server configuration changed to forbid mobility": 405; "If the ticket is invalid":
  // 400.
  if (!options_.mobility) return std::unexpected(ErrorStatus::kMobilityForbidden);
  const auto ticket = tickets_.Open(*value);
  if (!ticket) return std::unexpected(ErrorStatus::kBadRequest);
  return *ticket;
}

// FindSettled returns the live allocation of `ticket` as of now, or nullptr when it "does not
// identify an existing allocation": 437.
Allocation* TurnServer::Impl::FindSettled(const MobilityTicket& ticket, Now now) {
  if (ticket.core != core_id_) return nullptr;
  Allocation* allocation = table_.Get(ticket.allocation);
  if (allocation == nullptr || allocation->mobility == nullptr) return nullptr;
  if (allocation->NextDeadline() <= now.mono) Settle(*allocation, now);
  allocation = table_.Get(ticket.allocation);
  return allocation != nullptr && allocation->mobility != nullptr ? allocation : nullptr;
}

void TurnServer::Impl::AddTicket(stun::MessageBuilder& builder, const Allocation& allocation,
                                 uint32_t serial) {
  builder.AddBytes(AttributeType::kMobilityTicket,
                   tickets_.Seal({.core = core_id_,
                                  .allocation = allocation.relay_id(AddressFamily::kIpv4),
                                  .serial = serial}));
}

// IsLatest says whether the client got its last ticket at `tuple`.
bool TurnServer::Impl::IsLatest(const Allocation& allocation, const FiveTuple& tuple) const {
  if (allocation.next_tuple() != nullptr) return *allocation.next_tuple() == tuple;
  return !allocation.detached() && allocation.five_tuple == tuple;
}

// IsMoveAgain says whether a Refresh asks for what was granted, because its answer was lost.
// §3.2.2: "The old ticket can only be used for the purposes of retransmission."
bool TurnServer::Impl::IsMoveAgain(const Request& request) const {
  const Mobility& mobility = *request.allocation->mobility;
  return (*request.ticket)->serial + 1 == mobility.serial &&
         IsLatest(*request.allocation, request.five_tuple()) &&
         request.now.mono - mobility.moved_at < kOldTicketLifetime;
}

// CheckMove performs the checks of §3.2.2, all of them after authentication: who has no credentials
// learns nothing about tickets. Hence a wrong password gets 401, as in any Refresh, and 441 is for
// another user. That NONCE was made for the new 5-tuple has been checked as well: a Refresh that
// someone overheard moves nothing from elsewhere.
Handled TurnServer::Impl::CheckMove(const Request& request) {
  const Allocation& allocation = *request.allocation;
  const FiveTuple& to = request.five_tuple();
  if (IsMoveAgain(request)) return {};
  // "If the source IP address and port of the Refresh request ... is the same as the stored 5-tuple
  // allocation": 400, and so is a ticket that was used.
  if ((*request.ticket)->serial != allocation.mobility->serial || IsLatest(allocation, to)) {
    return std::unexpected(ErrorStatus::kBadRequest);
  }
  // RFC 6062 §5.1: only a stream can be the control connection of a TCP allocation.
  if (allocation.protocol == RelayProtocol::kTcp && !IsStream(to.transport)) {
    return std::unexpected(ErrorStatus::kBadRequest);
  }
  if (IsOwnRelay(to)) {
    stats_.loops.Add(1);
    return std::unexpected(ErrorStatus::kForbidden);
  }
  // A 5-tuple identifies one allocation (RFC 8656 §5).
  const Allocation* other = table_.Find(to);
  if (other != nullptr && other != &allocation) {
    return std::unexpected(ErrorStatus::kAllocationMismatch);
  }
  return {};
}

// Move makes `to` the next 5-tuple. §3.2.2: "then updates its state data with the new client IP
// address and port but does not discard the old 5-tuple from its state data".
void TurnServer::Impl::Move(Allocation& allocation, const Client& to, Now now) {
  Mobility& mobility = *allocation.mobility;
  if (mobility.next) LeaveNext(allocation);
  ++mobility.serial;
  mobility.moved_at = now.mono;
  // Back where it was, before it had sent anything from elsewhere.
  if (!allocation.detached() && to.five_tuple == allocation.five_tuple) return;
  mobility.next = to;
  table_.Index(allocation, to.five_tuple);
  if (to.five_tuple.transport != Transport::kUdp) by_link_[to.link] = allocation.index;
  outputs_.push_back(ClientJoined{.session = allocation.session, .client = to});
  // Without an old connection there is nothing to keep up; and over the control connection of a TCP
  // allocation no data ever comes.
  if (allocation.detached() || allocation.protocol == RelayProtocol::kTcp) CompleteMove(allocation);
}

// OnDataFrom takes note of where application data came from. §3.2.2: "until it receives a Send
// Indication or ChannelData message from the client on the new 5-tuple".
void TurnServer::Impl::OnDataFrom(Allocation& allocation, const Client& client) {
  if (client.five_tuple == *allocation.next_tuple()) CompleteMove(allocation);
}

// CompleteMove "discards the old ticket and the old 5-tuple": from now on the client is at the new
// one alone.
void TurnServer::Impl::CompleteMove(Allocation& allocation) {
  const Client to = *allocation.mobility->next;
  const Client from{.five_tuple = allocation.five_tuple, .link = allocation.link};
  if (!allocation.detached()) LeaveTuple(allocation, from);
  allocation.mobility->next.reset();
  allocation.five_tuple = to.five_tuple;
  allocation.link = to.link;
  allocation.mobility->detached = false;
  stats_.moves.Add(1);
  outputs_.push_back(
      SessionMoved{.session = allocation.session, .from = from.five_tuple, .to = to.five_tuple});
  CheckTouched(allocation);
}

// LeaveTuple takes one of the 5-tuples of `allocation` out of the indexes.
void TurnServer::Impl::LeaveTuple(Allocation& allocation, const Client& left) {
  table_.Unindex(allocation, left.five_tuple);
  if (left.five_tuple.transport != Transport::kUdp) by_link_.erase(left.link);
  if (allocation.mobility != nullptr) outputs_.push_back(ClientLeft{left});
}

void TurnServer::Impl::LeaveNext(Allocation& allocation) {
  LeaveTuple(allocation, *allocation.mobility->next);
  allocation.mobility->next.reset();
}

// LeaveAll takes an allocation that ends out of the indexes.
void TurnServer::Impl::LeaveAll(Allocation& allocation) {
  if (allocation.next_tuple() != nullptr) LeaveNext(allocation);
  if (!allocation.detached()) {
    LeaveTuple(allocation, {.five_tuple = allocation.five_tuple, .link = allocation.link});
  }
  allocation.mobility.reset();
}

}  // namespace turnpike
