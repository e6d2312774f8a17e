// From a STUN message to its handler, and the one place that answers (RFC 8489 §6.3, RFC 8656 §5).
#include "common/base/check.h"
#include "server/turn/turn_server_impl.h"

namespace turnpike {

using stun::AttributeType;
using stun::Class;
using stun::Method;

namespace {

// MethodSlot is a method's place in TurnStats::messages.
size_t MethodSlot(Method method) {
  constexpr size_t kSlots = std::tuple_size_v<decltype(TurnStats::messages)>;
  const auto value = static_cast<size_t>(method);
  return value < kSlots ? value : 0;
}

// IsRequestMethod says whether requests of `method` are served.
bool IsRequestMethod(Method method) {
  switch (method) {
    case Method::kBinding:
    case Method::kAllocate:
    case Method::kRefresh:
    case Method::kCreatePermission:
    case Method::kChannelBind:
    case Method::kConnect:
    case Method::kConnectionBind:
      return true;
    default:
      return false;
  }
}

// AddError adds ERROR-CODE. To a stranger it has no phrase, which is for people alone (RFC 8489
// §14.8): the answer may go to whom somebody wants to flood.
void AddError(stun::MessageBuilder& builder, const Recipient& to, uint16_t code) {
  if (to.keys != nullptr) return builder.AddErrorCode(code);
  const std::array<uint8_t, 4> value = {0, 0, static_cast<uint8_t>(code / 100),
                                        static_cast<uint8_t>(code % 100)};
  builder.AddBytes(AttributeType::kErrorCode, value);
}

}  // namespace

std::optional<Forward> TurnServer::Impl::OnStun(const Client& client, ByteSpan bytes, Now now) {
  const auto message = stun::MessageView::Parse(bytes);
  if (!message && OnClassicBinding(client, bytes)) return std::nullopt;
  // RFC 8489 §6.3: "If any errors are detected, the message is silently discarded."
  if (!message) return Drop(DropReason::kMalformed, table_.Find(client.five_tuple));
  switch (message->message_class()) {
    case Class::kRequest:
      stats_.messages[MethodSlot(message->method())][0].Add(1);
      OnRequest(client, *message, now);
      return std::nullopt;
    case Class::kIndication:
      stats_.messages[MethodSlot(message->method())][1].Add(1);
      // A Binding indication keeps a NAT's binding alive, no more (RFC 8489 §6.3.2).
      if (message->method() == Method::kSend) return OnSend(client, *message, now);
      return std::nullopt;
    case Class::kSuccessResponse:
    case Class::kErrorResponse:
      // RFC 8489 §6.3: there is no "transaction that is still in progress"; silently discarded.
      return std::nullopt;
  }
  return std::nullopt;
}

void TurnServer::Impl::OnRequest(const Client& client, const stun::MessageView& message, Now now) {
  // RFC 8489 §6.3: the agent checks "that the method value is a supported method ... If any errors
  // are detected, the message is silently discarded."
  if (!IsRequestMethod(message.method())) return;
  Recipient from{.client = client,
                 .method = message.method(),
                 .transaction_id = message.transaction_id(),
                 .cookie = stun::kMagicCookie,
                 .fingerprint = message.has_fingerprint(),
                 .keys = nullptr,
                 .answer = {}};
  if (message.method() == Method::kBinding) {
    OnBinding(from, message);
    return;
  }
  const auto ticket = TicketOf(message);
  if (ticket && *ticket && (*ticket)->core != core_id_ &&
      table_.Find(client.five_tuple) == nullptr) {
    // Whoever reads its own tickets judges all else.
    const ByteSpan bytes = message.bytes();
    outputs_.push_back(PassMessage{
        .owner = (*ticket)->core, .client = client, .bytes = {bytes.begin(), bytes.end()}});
    return;
  }
  Allocation* allocation = !ticket   ? FindSettled(client.five_tuple, now)
                           : *ticket ? FindSettled(**ticket, now)
                                     : nullptr;
  // RFC 8656 §7.2, last note: a retransmission "on the same 5-tuple" with "the transaction id that
  // created" the allocation: "the server can stop parsing the request and immediately generate a
  // success response". While the relays are being opened, that answer is on its way.
  if (allocation != nullptr && message.method() == Method::kAllocate &&
      allocation->granted.transaction_id == message.transaction_id()) {
    if (allocation->state == AllocationState::kLive && MayAnswer(from)) {
      AnswerAllocate(*allocation);
    }
    return;
  }
  OnTurnRequest(from, message, allocation, ticket, now);
}

void TurnServer::Impl::OnTurnRequest(const Recipient& from, const stun::MessageView& message,
                                     Allocation* allocation,
                                     const std::optional<ShownTicket>& ticket, Now now) {
  std::optional<KnownClient> known;
  if (allocation != nullptr) {
    known = KnownClient{
        .username = allocation->username, .keys = &allocation->keys, .control = nullptr};
  }
  const auto offer = OfferFor(message);
  if (offer)
    known =
        KnownClient{.username = offer->username, .keys = &offer->keys, .control = &offer->control};
  if (!MayAttempt(from, message)) return;
  const auto who = authenticator_.Check(message, from.client.five_tuple, known, now);
  if (!who) {
    RejectUnauthenticated(from, who.error(), now);
    return;
  }
  Recipient proven = from;
  proven.keys = &who->keys;
  proven.answer = who->answer;
  // RFC 8489 §6.3: "Once the authentication checks are done, the STUN agent checks for unknown
  // attributes"; §6.3.1: 420 with UNKNOWN-ATTRIBUTES.
  if (const auto unknown = message.UnknownRequired(); !unknown.empty()) {
    RejectUnknown(proven, unknown);
    return;
  }
  const Handled handled = Dispatch({.message = message,
                                    .from = proven,
                                    .who = *who,
                                    .allocation = allocation,
                                    .ticket = ticket,
                                    .now = now});
  if (!handled) RejectWith(proven, handled.error());
}

Handled TurnServer::Impl::Dispatch(const Request& request) {
  const Method method = request.from.method;
  if (method == Method::kAllocate) return OnAllocate(request);
  if (method == Method::kConnectionBind) return OnConnectionBind(request);
  if (request.ticket && !*request.ticket) return std::unexpected(request.ticket->error());
  // RFC 8656 §5: "For all TURN messages ... EXCEPT an Allocate request, if the 5-tuple does not
  // identify an existing allocation, then the message MUST ... be rejected with a 437".
  if (request.allocation == nullptr || request.allocation->state != AllocationState::kLive) {
    return std::unexpected(ErrorStatus::kAllocationMismatch);
  }
  // §5: "the request does not use the same username as used to create the allocation, then the
  // request MUST be rejected with a 441 (Wrong Credentials) error."
  if (request.who.principal.username != request.allocation->username) {
    stats_.auth_failures[static_cast<size_t>(AuthFailure::kWrongUser)].Add(1);
    return std::unexpected(ErrorStatus::kWrongCredentials);
  }
  switch (method) {
    case Method::kRefresh:
      return OnRefresh(request);
    case Method::kCreatePermission:
      return OnCreatePermission(request);
    case Method::kChannelBind:
      return OnChannelBind(request);
    case Method::kConnect:
      return OnConnect(request);
    default:
      TP_CHECK(false);
      return {};
  }
}

void TurnServer::Impl::RejectUnauthenticated(const Recipient& to, const AuthRejection& rejection,
                                             Now now) {
  if (rejection.failure) stats_.auth_failures[static_cast<size_t>(*rejection.failure)].Add(1);
  const bool sent = Answer(to, Class::kErrorResponse, [&](stun::MessageBuilder& builder) {
    AddError(builder, to, rejection.code);
    if (rejection.challenge) {
      authenticator_.Challenge(builder, to.client.five_tuple, now.mono);
    }
  });
  if (sent) CountError(to.method, rejection.code);
}

// MayAnswer holds answers that nobody vouches for to a rate by source. Past it a flood costs no
// more than reading it: no nonce is made, and whoever forges a source reaches it with nothing.
bool TurnServer::Impl::MayAnswer(const Recipient& to) {
  if (answers_.Admit(to.client.five_tuple.client.ip, latest_)) return true;
  stats_.source_limited[static_cast<size_t>(SourceLimit::kUnauthenticatedAnswer)].Add(1);
  return false;
}

// MayAttempt does the same to Allocate requests with credentials, before these are checked: whoever
// guesses passwords or reservation tokens, or opens and closes relays, is slow at it.
bool TurnServer::Impl::MayAttempt(const Recipient& from, const stun::MessageView& message) {
  if (from.method != Method::kAllocate) return true;
  if (!message.has_integrity() && !message.has_integrity_sha256()) return true;
  if (attempts_.Admit(from.client.five_tuple.client.ip, latest_)) return true;
  stats_.source_limited[static_cast<size_t>(SourceLimit::kAllocationAttempt)].Add(1);
  return false;
}

void TurnServer::Impl::RejectUnknown(const Recipient& to, std::span<const AttributeType> unknown) {
  constexpr auto kCode = static_cast<uint16_t>(ErrorStatus::kUnknownAttribute);
  const bool sent = Answer(to, Class::kErrorResponse, [&](stun::MessageBuilder& builder) {
    AddError(builder, to, kCode);
    builder.AddUnknownAttributes(unknown);
  });
  if (sent) CountError(to.method, kCode);
}

void TurnServer::Impl::RejectWith(const Recipient& to, ErrorStatus status) {
  const bool sent = Answer(to, Class::kErrorResponse, [&](stun::MessageBuilder& builder) {
    AddError(builder, to, static_cast<uint16_t>(status));
    if (status == ErrorStatus::kTryAlternate) AddAlternate(builder, to.client);
  });
  if (sent) CountError(to.method, static_cast<uint16_t>(status));
}

void TurnServer::Impl::CountError(Method method, uint16_t code) {
  const size_t index = code - size_t{300};
  stats_.errors[index].Add(1);
  if (method == Method::kAllocate) stats_.allocation_errors[index].Add(1);
}

}  // namespace turnpike
