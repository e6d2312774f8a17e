// Allocate requests (RFC 8656 §7.2). What follows until the relays are open is in open_relay.cc.
#include <algorithm>

#include "server/turn/turn_server_impl.h"

namespace turnpike {

using stun::AttributeType;

namespace {

constexpr uint8_t kProtocolTcp = 6;  // IANA; RFC 8656 §18.8
constexpr uint8_t kProtocolUdp = 17;

// FamilyOf reads REQUESTED-ADDRESS-FAMILY and ADDITIONAL-ADDRESS-FAMILY (§18.6, §18.11): one byte,
// three reserved ones. nullopt for a code that is no family.
std::optional<AddressFamily> FamilyOf(ByteSpan value) {
  if (value[0] == static_cast<uint8_t>(AddressFamily::kIpv4)) return AddressFamily::kIpv4;
  if (value[0] == static_cast<uint8_t>(AddressFamily::kIpv6)) return AddressFamily::kIpv6;
  return std::nullopt;
}

// HasValidShapes says whether every attribute that Allocate reads has a length that it may have.
bool HasValidShapes(const stun::MessageView& message) {
  for (const AttributeType type :
       {AttributeType::kRequestedTransport, AttributeType::kDontFragment,
        AttributeType::kReservationToken, AttributeType::kEvenPort,
        AttributeType::kRequestedAddressFamily, AttributeType::kAdditionalAddressFamily,
        AttributeType::kLifetime}) {
    const auto value = message.Find(type);
    if (value && !stun::HasValidShape(type, *value)) return false;
  }
  return true;
}

// WantsTicket says whether a MOBILITY-TICKET is asked for. RFC 8016 §3.1.2: one of "non-zero
// length": 400; mobility "is forbidden by local policy": 405.
std::expected<bool, ErrorStatus> WantsTicket(const stun::MessageView& message, bool allowed) {
  const auto ticket = message.Find(AttributeType::kMobilityTicket);
  if (!ticket) return false;
  if (!ticket->empty()) return std::unexpected(ErrorStatus::kBadRequest);
  if (!allowed) return std::unexpected(ErrorStatus::kMobilityForbidden);
  return true;
}

}  // namespace

Handled TurnServer::Impl::OnAllocate(const Request& request) {
  const stun::MessageView& message = request.message;
  // Step 1, authentication, is done. Step 2: "checks if the 5-tuple is currently in use by an
  // existing allocation": 437.
  if (request.allocation != nullptr) return std::unexpected(ErrorStatus::kAllocationMismatch);
  if (!HasValidShapes(message)) return std::unexpected(ErrorStatus::kBadRequest);
  // Step 3: REQUESTED-TRANSPORT "is not included or is malformed": 400; "a protocol that is not
  // supported": 442.
  const auto transport = message.Find(AttributeType::kRequestedTransport);
  if (!transport) return std::unexpected(ErrorStatus::kBadRequest);
  const bool wants_tcp = (*transport)[0] == kProtocolTcp;
  if ((*transport)[0] != kProtocolUdp && !(wants_tcp && options_.max_peer_connections != 0)) {
    return std::unexpected(ErrorStatus::kUnsupportedTransport);
  }
  // RFC 6062 §5.1: a TCP allocation over anything but TCP or TLS, or with DONT-FRAGMENT, EVEN-PORT
  // or RESERVATION-TOKEN: 400.
  if (wants_tcp &&
      (!IsStream(request.five_tuple().transport) || message.Find(AttributeType::kDontFragment) ||
       message.Find(AttributeType::kEvenPort) || message.Find(AttributeType::kReservationToken))) {
    return std::unexpected(ErrorStatus::kBadRequest);
  }
  // §7.2: "At any point, a server MAY choose to reject the request with a 300 (Try Alternate)
  // error". Here the request is authenticated and its 5-tuple is free; what this server could not
  // do the other one may be able to.
  if (Redirects(request.from.client)) return std::unexpected(ErrorStatus::kTryAlternate);
  // Step 4: DONT-FRAGMENT is supported.
  // Step 5: RESERVATION-TOKEN together with EVEN-PORT, REQUESTED-ADDRESS-FAMILY or
  // ADDITIONAL-ADDRESS-FAMILY: 400. Whether the token is valid is seen when all else is.
  const auto token = message.Find(AttributeType::kReservationToken);
  const auto even_port = message.Find(AttributeType::kEvenPort);
  const auto requested = message.Find(AttributeType::kRequestedAddressFamily);
  const auto additional = message.Find(AttributeType::kAdditionalAddressFamily);
  if (token && (even_port || requested || additional)) {
    return std::unexpected(ErrorStatus::kBadRequest);
  }
  // Step 6: both families' attributes: 400.
  if (requested && additional) return std::unexpected(ErrorStatus::kBadRequest);
  // Step 7: a family that is not supported: 440; without the attribute it is IPv4 (a token has a
  // family of its own).
  const auto family = requested ? FamilyOf(*requested) : AddressFamily::kIpv4;
  if (!token && (!family || !SupportsFamily(*family))) {
    return std::unexpected(ErrorStatus::kAddressFamilyNotSupported);
  }
  // Step 8: the R bit of EVEN-PORT together with ADDITIONAL-ADDRESS-FAMILY: 400.
  const bool reserve_next = even_port && ((*even_port)[0] & 0x80) != 0;
  if (reserve_next && additional) return std::unexpected(ErrorStatus::kBadRequest);
  // Step 9: ADDITIONAL-ADDRESS-FAMILY of IPv4 (or of no family at all): 400.
  if (additional && FamilyOf(*additional) != AddressFamily::kIpv6) {
    return std::unexpected(ErrorStatus::kBadRequest);
  }
  const auto wants_ticket = WantsTicket(message, options_.mobility);
  if (!wants_ticket) return std::unexpected(wants_ticket.error());
  if (IsOwnRelay(request.five_tuple())) {
    stats_.loops.Add(1);
    return std::unexpected(ErrorStatus::kForbidden);
  }
  Opening opening;
  opening.mobile = *wants_ticket;
  if (wants_tcp) opening.protocol = RelayProtocol::kTcp;
  if (!token) opening.families.push_back(*family);
  if (additional) opening.families.push_back(AddressFamily::kIpv6);
  if (even_port) {
    opening.parity = reserve_next ? PortParity::kEvenAndReserveNext : PortParity::kEven;
  }
  const auto lifetime = message.Find(AttributeType::kLifetime);
  opening.lifetime = GrantedLifetime(lifetime ? stun::DecodeU32(*lifetime) : std::nullopt);
  return StartAllocation(request, std::move(opening));
}

// GrantedLifetime is the rule of §7.2 and §8.2 for a lifetime other than 0: the default, unless
// more was asked for, up to the maximum.
Duration TurnServer::Impl::GrantedLifetime(std::optional<uint32_t> requested) const {
  if (!requested) return options_.default_lifetime;
  const Duration wanted = std::chrono::seconds(*requested);
  return std::max(std::min(wanted, options_.max_lifetime), options_.default_lifetime);
}

// IsOwnRelay says whether the client of `tuple` is a relay of this very server: what it relays
// would come back to it. No other program can have that port of that address.
bool TurnServer::Impl::IsOwnRelay(const FiveTuple& tuple) {
  if (IsStream(tuple.transport)) return false;
  return directory_.HasTaken({Bound(tuple.client.ip), tuple.client.port});
}

bool TurnServer::Impl::SupportsFamily(AddressFamily family) const {
  return std::ranges::any_of(options_.relay_addresses, [&](const RelayAddress& address) {
    return address.bind.family() == family;
  });
}

// AnswerAllocate sends the success response of §7.2, in the order that all clients know. The same
// allocation gets the same bytes whenever it is called.
void TurnServer::Impl::AnswerAllocate(const Allocation& allocation) {
  const Granted& granted = allocation.granted;
  Answer(AllocateRecipient(allocation), stun::Class::kSuccessResponse,
         [&](stun::MessageBuilder& builder) {
           for (const AddressFamily family : {AddressFamily::kIpv4, AddressFamily::kIpv6}) {
             if (!granted.relayed[LegIndex(family)]) continue;
             builder.AddXorAddress(AttributeType::kXorRelayedAddress,
                                   allocation.legs[LegIndex(family)].relayed());
           }
           builder.AddXorAddress(AttributeType::kXorMappedAddress, allocation.five_tuple.client);
           builder.AddU32(AttributeType::kLifetime, granted.lifetime_seconds);
           if (granted.has_token) {
             builder.AddBytes(AttributeType::kReservationToken, granted.token);
           }
           if (allocation.mobility != nullptr) AddTicket(builder, allocation, 0);
           if (granted.refused_code != 0) {
             // §18.12: family, reserved, class, number; the phrase may be empty.
             const std::array<uint8_t, 4> value = {
                 static_cast<uint8_t>(granted.refused_family), 0,
                 static_cast<uint8_t>(granted.refused_code / 100),
                 static_cast<uint8_t>(granted.refused_code % 100)};
             builder.AddBytes(AttributeType::kAddressErrorCode, value);
           }
         });
}

// AllocateRecipient is who asked for `allocation`.
Recipient TurnServer::Impl::AllocateRecipient(const Allocation& allocation) const {
  return {.client = {.five_tuple = allocation.five_tuple, .link = allocation.link},
          .method = stun::Method::kAllocate,
          .transaction_id = allocation.granted.transaction_id,
          .fingerprint = allocation.granted.fingerprint,
          .keys = &allocation.keys,
          .answer = allocation.answer};
}

}  // namespace turnpike
