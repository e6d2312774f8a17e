// Requests of the TURN client and their responses.
#include <algorithm>
#include <array>
#include <utility>

#include "common/base/check.h"
#include "common/client/turn_client.h"

namespace turnpike {
namespace {

using enum stun::AttributeType;
using std::chrono::seconds;

// REQUESTED-TRANSPORT: UDP's protocol number and 24 reserved bits (RFC 8656 §18.8).
constexpr uint32_t kRequestedUdp = 17u << 24;

// Permissions live 300 s; 240 is what browsers use. A ChannelBind renews the peer's permission too,
// so it runs at the same pace rather than at that of the channel's own 600 s.
constexpr seconds kPermissionRefresh(240);

// The Refresh leaves a minute for retransmissions, or half of a short lifetime.
Duration RefreshDelay(seconds lifetime) {
  constexpr seconds kMargin(60);
  return lifetime > 2 * kMargin ? Duration(lifetime - kMargin) : Duration(lifetime) / 2;
}

stun::Method MethodOf(RequestKind kind) {
  switch (kind) {
    case RequestKind::kAllocate:
      return stun::Method::kAllocate;
    case RequestKind::kRefresh:
    case RequestKind::kRelease:
      return stun::Method::kRefresh;
    case RequestKind::kCreatePermission:
      return stun::Method::kCreatePermission;
    case RequestKind::kChannelBind:
      break;
  }
  return stun::Method::kChannelBind;
}

// MayComeUnprotected says for which errors the server cannot or need not know the key: challenges,
// redirection, and requests that it could not make sense of before it looked at credentials.
bool MayComeUnprotected(uint16_t code) {
  return code == 300 || code == 400 || code == 401 || code == 420 || code == 438 || code == 500;
}

uint16_t CodeOf(const stun::MessageView& response) {
  const auto value = response.Find(kErrorCode);
  const auto error = value ? stun::DecodeErrorCode(*value) : std::nullopt;
  return error ? error->code : 0;
}

std::optional<TransportAddress> AddressIn(const stun::MessageView& message,
                                          stun::AttributeType type) {
  const auto value = message.Find(type);
  return value ? stun::DecodeXorAddress(*value, message.transaction_id()) : std::nullopt;
}

std::optional<seconds> LifetimeIn(const stun::MessageView& message) {
  const auto value = message.Find(kLifetime);
  const auto lifetime = value ? stun::DecodeU32(*value) : std::nullopt;
  return lifetime ? std::optional(seconds(*lifetime)) : std::nullopt;
}

}  // namespace

void TurnClient::SendRequest(const RequestIntent& intent, bool retried, MonoTime now) {
  stun::TransactionId id;
  random_.Fill(id);
  Transaction& transaction = transactions_.emplace_back(intent, id, BuildRequest(intent, id),
                                                        credential_.known(), retried);
  transaction.Start(now, options_.initial_rto, IsStream(options_.transport));
  transmits_.push_back(transaction.message());
}

std::vector<uint8_t> TurnClient::BuildRequest(const RequestIntent& intent,
                                              const stun::TransactionId& id) const {
  // Larger than any request: names, realm and nonce may have 763 bytes each.
  std::array<uint8_t, 4096> buffer;
  stun::MessageBuilder builder(buffer, stun::Class::kRequest, MethodOf(intent.kind), id);
  switch (intent.kind) {
    case RequestKind::kAllocate:
      AddAllocateAttributes(builder);
      break;
    case RequestKind::kRefresh:
      if (options_.lifetime) {
        builder.AddU32(kLifetime, static_cast<uint32_t>(options_.lifetime->count()));
      }
      break;
    case RequestKind::kRelease:
      builder.AddU32(kLifetime, 0);
      break;
    case RequestKind::kChannelBind:
      builder.AddU32(kChannelNumber, uint32_t{intent.channel.value()} << 16);
      [[fallthrough]];
    case RequestKind::kCreatePermission:
      builder.AddXorAddress(kXorPeerAddress, intent.peer);
      break;
  }
  const ByteSpan message = credential_.known()
                               ? credential_.Finish(builder, options_.fingerprint)
                               : builder.FinishUnauthenticated(options_.fingerprint);
  TP_CHECK(!message.empty());
  return {message.begin(), message.end()};
}

void TurnClient::AddAllocateAttributes(stun::MessageBuilder& builder) const {
  builder.AddU32(kRequestedTransport, kRequestedUdp);
  if (options_.lifetime) {
    builder.AddU32(kLifetime, static_cast<uint32_t>(options_.lifetime->count()));
  }
  if (options_.requested_family) {
    builder.AddU32(kRequestedAddressFamily, static_cast<uint32_t>(*options_.requested_family)
                                                << 24);
  }
  if (options_.dont_fragment) builder.AddFlag(kDontFragment);
  if (options_.even_port != EvenPort::kNotAsked) {
    const bool reserve = options_.even_port == EvenPort::kEvenAndReserveNext;
    builder.AddBytes(kEvenPort, std::array{static_cast<uint8_t>(reserve ? 0x80 : 0)});
  }
  if (options_.reservation_token) builder.AddBytes(kReservationToken, *options_.reservation_token);
}

void TurnClient::OnResponse(const stun::MessageView& response, MonoTime now) {
  const auto found = std::ranges::find(transactions_, response.transaction_id(), &Transaction::id);
  if (found == transactions_.end() || response.method() != MethodOf(found->intent().kind)) return;
  const bool success = response.message_class() == stun::Class::kSuccessResponse;
  const uint16_t code = success ? 0 : CodeOf(response);
  if (!success && code == 0) return;
  const bool excused = !found->authenticated() || (!success && MayComeUnprotected(code));
  if (!excused && !credential_.Verify(response)) return;
  // Success without credentials would be a server that asks for none: nobody's bill.
  if (success && !found->authenticated()) return;
  if (!response.UnknownRequired().empty()) return;  // RFC 8489 §6.3.3: discarded

  const Transaction transaction = std::move(*found);
  transactions_.erase(found);
  if (success) {
    OnSuccess(transaction.intent(), response, now);
    return;
  }
  // A 401 to credentials means that they are wrong; a second 438 in a row, that retrying is no use.
  const bool challenge = (code == 401 && !transaction.authenticated()) ||
                         (code == 438 && transaction.authenticated() && !transaction.retried());
  if (challenge && credential_.Learn(response)) {
    SendRequest(transaction.intent(), code == 438, now);
    return;
  }
  Fail(transaction.intent(), code);
}

void TurnClient::OnSuccess(const RequestIntent& intent, const stun::MessageView& response,
                           MonoTime now) {
  switch (intent.kind) {
    case RequestKind::kAllocate:
      if (!OnAllocateSuccess(response, now)) Fail(intent, 0);
      return;
    case RequestKind::kRefresh:
      OnRefreshSuccess(response, now);
      return;
    case RequestKind::kRelease:
      Finish(Released{});
      return;
    case RequestKind::kCreatePermission:
      if (Permission* permission = FindPermission(intent.peer.ip)) {
        permission->refresh_at = now + kPermissionRefresh;
        if (!std::exchange(permission->installed, true)) {
          events_.push_back(PermissionInstalled{permission->peer});
        }
      }
      return;
    case RequestKind::kChannelBind:
      if (Channel* channel = FindChannel(PeerAddress(intent.peer))) {
        channel->refresh_at = now + kPermissionRefresh;
        if (!std::exchange(channel->bound, true)) {
          events_.push_back(ChannelBound{channel->peer, channel->number});
        }
      }
      return;
  }
}

bool TurnClient::OnAllocateSuccess(const stun::MessageView& response, MonoTime now) {
  const auto relayed = AddressIn(response, kXorRelayedAddress);
  const auto mapped = AddressIn(response, kXorMappedAddress);
  const auto lifetime = LifetimeIn(response);
  if (!relayed || !mapped || !lifetime) return false;  // RFC 8656 §7.3 demands all three
  Allocated allocated{RelayedAddress(*relayed), *mapped, *lifetime, std::nullopt};
  const auto token = response.Find(kReservationToken);
  if (token && token->size() == ReservationToken().size()) {
    std::ranges::copy(*token, allocated.reservation_token.emplace().begin());
  }
  state_ = State::kAllocated;
  refresh_at_ = now + RefreshDelay(*lifetime);
  events_.push_back(allocated);
  return true;
}

void TurnClient::OnRefreshSuccess(const stun::MessageView& response, MonoTime now) {
  // Without LIFETIME, which §8.2 demands, the least that a server grants is assumed.
  constexpr seconds kDefaultLifetime(600);
  refresh_at_ = now + RefreshDelay(LifetimeIn(response).value_or(kDefaultLifetime));
}

void TurnClient::Fail(const RequestIntent& intent, uint16_t code) {
  if (state_ == State::kDone) return;
  switch (intent.kind) {
    case RequestKind::kAllocate:
    case RequestKind::kRefresh:
      Finish(Failed{intent.kind, code, {}});
      return;
    case RequestKind::kRelease:
      // An allocation that is already gone is what was asked for.
      if (code == 437) return Finish(Released{});
      Finish(Failed{intent.kind, code, {}});
      return;
    case RequestKind::kCreatePermission:
      std::erase_if(permissions_, [&](const Permission& p) { return p.peer == intent.peer.ip; });
      break;
    case RequestKind::kChannelBind:
      std::erase_if(channels_, [&](const Channel& c) { return c.number == intent.channel; });
      break;
  }
  events_.push_back(Failed{intent.kind, code, intent.peer});
}

void TurnClient::Finish(ClientEvent event) {
  state_ = State::kDone;
  transactions_.clear();
  permissions_.clear();
  channels_.clear();
  refresh_at_.reset();
  events_.push_back(std::move(event));
}

}  // namespace turnpike
