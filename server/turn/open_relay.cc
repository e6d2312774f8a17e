// From a valid Allocate request to its answer: ports are taken, relays are opened, and a port that
// another program holds becomes another port or a 508 (RFC 8656 §7.2, second half).
#include <algorithm>

#include "common/base/check.h"
#include "server/turn/turn_server_impl.h"

namespace turnpike {

namespace {

// kMaxAttempts bounds how many ports of one family are tried: where other programs hold half of the
// range (it may overlap the ephemeral ports), one Allocate in four thousand millions finds none.
constexpr int kMaxAttempts = 32;

}  // namespace

Handled TurnServer::Impl::StartAllocation(const Request& request, Opening opening) {
  const Principal& principal = request.who.principal;
  if (draining_) return std::unexpected(ErrorStatus::kInsufficientCapacity);
  // §19, 403: "cannot be performed due to administrative or similar restrictions".
  if (directory_.IsRevoked(principal.username, principal.account, principal.label,
                           request.now.wall)) {
    return std::unexpected(ErrorStatus::kForbidden);
  }
  // A cap of the account that is reached is a quota too (§7.2 step 10): 486.
  if (directory_.IsCapped(principal.account, principal.label)) {
    return std::unexpected(ErrorStatus::kAllocationQuotaReached);
  }
  const QuotaHolder holder = {.username = principal.username,
                              .account = principal.account,
                              .client = request.five_tuple().client.ip};
  auto quota = TakeQuota(holder, request.now.mono);
  if (!quota) return std::unexpected(quota.error());
  // Step 5, second half: a token that is not valid "for some reason": 508. It is redeemed last, so
  // that no other error uses it up.
  std::optional<Directory::Reserved> reserved;
  if (const auto value = request.message.Find(stun::AttributeType::kReservationToken)) {
    ReservationToken token;
    std::ranges::copy(*value, token.begin());
    reserved = directory_.Redeem(token, principal.username, request.now.mono);
    if (!reserved) {
      directory_.quotas().Return(holder, request.now.mono);
      return std::unexpected(ErrorStatus::kInsufficientCapacity);
    }
    opening.families = {reserved->bind.family()};
    opening.redeemed = true;
  }

  std::array<uint8_t, 10> random;
  random_.Fill(random);
  Allocation& allocation = table_.Insert(request.five_tuple());
  allocation.link = request.from.client.link;
  allocation.protocol = opening.protocol;
  allocation.metered_as = request.five_tuple().transport;
  allocation.username = principal.username;
  JoinAccount(allocation, *quota);
  allocation.keys = request.who.keys;
  allocation.answer = request.who.answer;
  allocation.created_at = request.now.mono;
  allocation.ends_at = MonoTime::max();
  if (options_.strict_expiry && principal.expires_at) {
    allocation.ends_at = request.now.mono + (*principal.expires_at - request.now.wall);
  }
  allocation.session = MakeSessionId(request.now.wall, random);
  allocation.granted.transaction_id = request.from.transaction_id;
  allocation.granted.fingerprint = request.from.fingerprint;
  opening.session = {.id = allocation.session,
                     .account = principal.account,
                     .label = principal.label,
                     .username = principal.username,
                     .transport = request.five_tuple().transport,
                     .client = request.five_tuple().client,
                     .relayed = {},
                     .started_at = request.now.wall};
  allocation.opening = std::make_unique<Opening>(std::move(opening));
  if (allocation.five_tuple.transport != Transport::kUdp) {
    by_link_[allocation.link] = allocation.index;
  }
  if (reserved) {
    RequestOpen(allocation, {reserved->bind, reserved->port});
  } else {
    OpenNext(allocation, request.now);
  }
  return {};
}

// ChoosePort takes a port of `family`, from any of its addresses.
std::optional<TransportAddress> TurnServer::Impl::ChoosePort(AddressFamily family,
                                                             PortParity parity) {
  const std::vector<RelayAddress>& all = options_.relay_addresses;
  const uint32_t start = random_.Below(static_cast<uint32_t>(all.size()));
  for (size_t i = 0; i < all.size(); ++i) {
    const IpAddress& bind = all[(start + i) % all.size()].bind;
    if (bind.family() != family) continue;
    if (const auto port = directory_.TakePort(bind, parity, random_)) {
      return TransportAddress{bind, *port};
    }
  }
  return std::nullopt;
}

void TurnServer::Impl::RequestOpen(Allocation& allocation, const TransportAddress& bind) {
  Opening& opening = *allocation.opening;
  Leg& leg = allocation.legs[LegIndex(bind.ip.family())];
  leg.bind = bind;
  leg.advertise = Canonical(bind).ip;
  ++opening.attempts;
  allocation.awaits_open = true;
  OpenRelay output{.relay = allocation.relay_id(bind.ip.family()),
                   .bind = bind,
                   .protocol = allocation.protocol,
                   .needs_slot = !allocation.meter.valid(),
                   .session = {}};
  if (output.needs_slot) {
    opening.session.relayed = leg.relayed();
    output.session = opening.session;
  }
  outputs_.push_back(std::move(output));
}

// OpenNext goes on with the next family that was asked for, or answers when there is none.
void TurnServer::Impl::OpenNext(Allocation& allocation, Now now) {
  Opening& opening = *allocation.opening;
  while (!opening.families.empty()) {
    const AddressFamily family = opening.families.front();
    opening.attempts = 0;
    if (!SupportsFamily(family)) {
      // Step 9: the reason "could be 440 (Address Family not Supported) or 508".
      Refuse(allocation, ErrorStatus::kAddressFamilyNotSupported);
    } else if (const auto bind = ChoosePort(family, opening.parity)) {
      RequestOpen(allocation, *bind);
      return;
    } else {
      Refuse(allocation, ErrorStatus::kInsufficientCapacity);
    }
  }
  FinishOpening(allocation, now);
}

// Refuse gives up the family that is being opened.
void TurnServer::Impl::Refuse(Allocation& allocation, ErrorStatus status) {
  Opening& opening = *allocation.opening;
  allocation.granted.refused_code = static_cast<uint16_t>(status);
  allocation.granted.refused_family = opening.families.front();
  opening.families.erase(opening.families.begin());
}

// ReleasePort returns the port of a relay that did not open, and the one reserved beside it.
void TurnServer::Impl::ReleasePort(const Allocation& allocation, const TransportAddress& bind) {
  directory_.ReturnPort(bind.ip, bind.port);
  if (allocation.opening->parity == PortParity::kEvenAndReserveNext) {
    directory_.ReturnPort(bind.ip, static_cast<uint16_t>(bind.port + 1));
  }
}

void TurnServer::Impl::OnRelayOpened(RelayId relay, std::expected<SessionMeter, OpenError> result,
                                     Now now) {
  Observe(now);
  Allocation* allocation = table_.Get(relay);
  TP_CHECK(allocation != nullptr && allocation->awaits_open);
  allocation->awaits_open = false;
  if (result && !allocation->meter.valid()) {
    TP_CHECK(result->valid());
    allocation->meter = *result;
  }
  const AddressFamily family = AllocationTable::FamilyOf(relay);
  Leg& leg = allocation->legs[LegIndex(family)];
  if (allocation->state == AllocationState::kEnded) {
    // It ended while its relay was being opened: nobody needs the relay any more.
    if (result) {
      outputs_.push_back(CloseRelay{.relay = relay, .protocol = allocation->protocol});
    }
    ReleasePort(*allocation, leg.bind);
    RetireIfDone(*allocation);
    return;
  }
  Opening& opening = *allocation->opening;
  if (result) {
    leg.open = true;
    opening.families.erase(opening.families.begin());
    OpenNext(*allocation, now);
    return;
  }
  const TransportAddress failed = leg.bind;
  if (result.error() == OpenError::kPortInUse && !opening.redeemed &&
      opening.attempts < kMaxAttempts) {
    // The next port is taken before this one is returned, so that it is another one.
    if (const auto bind = ChoosePort(family, opening.parity)) {
      ReleasePort(*allocation, failed);
      RequestOpen(*allocation, *bind);
      return;
    }
  }
  ReleasePort(*allocation, failed);
  Refuse(*allocation, ErrorStatus::kInsufficientCapacity);
  OpenNext(*allocation, now);
}

// FinishOpening answers: with success when a relay is open, else with 508.
void TurnServer::Impl::FinishOpening(Allocation& allocation, Now now) {
  Granted& granted = allocation.granted;
  if (!allocation.legs[0].open && !allocation.legs[1].open) {
    RejectWith(AllocateRecipient(allocation), ErrorStatus::kInsufficientCapacity);
    End(allocation, CloseReason::kExpired, now);
    return;
  }
  const Opening& opening = *allocation.opening;
  for (const AddressFamily family : {AddressFamily::kIpv4, AddressFamily::kIpv6}) {
    Leg& leg = allocation.legs[LegIndex(family)];
    if (!leg.open) continue;
    leg.expires_at = now.mono + opening.lifetime;
    granted.relayed[LegIndex(family)] = true;
    Counter& gauge = Gauge(allocation, family);
    gauge.Set(gauge.Get() + 1);
    if (opening.parity == PortParity::kEvenAndReserveNext) {
      granted.token = directory_.Reserve(leg.bind.ip, static_cast<uint16_t>(leg.bind.port + 1),
                                         allocation.username, now.mono, random_);
      granted.has_token = true;
      reservation_deadlines_.push_back(now.mono + kReservationLifetime);
    }
  }
  granted.lifetime_seconds = static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(opening.lifetime).count());
  if (opening.mobile) allocation.mobility = std::make_unique<Mobility>();
  allocation.opening.reset();
  allocation.state = AllocationState::kLive;
  ++live_count_;
  stats_.allocations_created.Add(1);
  deadlines_.Arm(allocation.index, allocation.NextDeadline());
  AnswerAllocate(allocation);
  CheckTouched(allocation);
}

}  // namespace turnpike
