// Refresh requests (RFC 8656 §8.2).
#include <algorithm>

#include "server/turn/turn_server_impl.h"

namespace turnpike {

using stun::AttributeType;

Handled TurnServer::Impl::OnRefresh(const Request& request) {
  Allocation& allocation = *request.allocation;
  const auto family_value = request.message.Find(AttributeType::kRequestedAddressFamily);
  const auto lifetime_value = request.message.Find(AttributeType::kLifetime);
  std::optional<uint32_t> requested;
  if (lifetime_value) {
    requested = stun::DecodeU32(*lifetime_value);
    if (!requested) return std::unexpected(ErrorStatus::kBadRequest);
  }
  if (family_value && !stun::HasValidShape(AttributeType::kRequestedAddressFamily, *family_value)) {
    return std::unexpected(ErrorStatus::kBadRequest);
  }
  // §8.1: without REQUESTED-ADDRESS-FAMILY "the request should be treated as applying to all
  // current allocations"; with one that "does not match the address family of the allocation": 443.
  std::array<bool, 2> concerned{};
  for (const AddressFamily family : {AddressFamily::kIpv4, AddressFamily::kIpv6}) {
    concerned[LegIndex(family)] =
        allocation.legs[LegIndex(family)].open &&
        (!family_value || (*family_value)[0] == static_cast<uint8_t>(family));
  }
  if (!concerned[0] && !concerned[1]) {
    return std::unexpected(ErrorStatus::kPeerAddressFamilyMismatch);
  }
  // "the 'desired lifetime'": 0 when LIFETIME is 0, else as for Allocate.
  const bool deletes = requested == 0u;
  const Duration lifetime = deletes ? Duration::zero() : GrantedLifetime(requested);
  if (request.ticket) {
    if (const Handled may_move = CheckMove(request); !may_move) return may_move;
    if (!deletes && !IsMoveAgain(request)) Move(allocation, request.from.client, request.now);
  }
  // Answer first: the keys that prove the answer may go with the allocation.
  Answer(request.from, stun::Class::kSuccessResponse, [&](stun::MessageBuilder& builder) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(lifetime).count();
    builder.AddU32(AttributeType::kLifetime, static_cast<uint32_t>(seconds));
    // RFC 8016 §3.2.2: "The new ticket sent in the refresh response MUST be different from the old
    // ticket."
    if (request.ticket && !deletes) AddTicket(builder, allocation, allocation.mobility->serial);
  });
  if (!deletes) {
    // "the allocation's time-to-expiry is set". Only a shorter lifetime moves a deadline ahead.
    for (size_t i = 0; i < concerned.size(); ++i) {
      if (concerned[i]) allocation.legs[i].expires_at = request.now.mono + lifetime;
    }
    deadlines_.Arm(allocation.index, allocation.NextDeadline());
    CheckTouched(allocation);
    return {};
  }
  // "the allocation is deleted": all of it, or one address of a dual one (§8.1).
  const bool rest_stays =
      (allocation.legs[0].open && !concerned[0]) || (allocation.legs[1].open && !concerned[1]);
  if (!rest_stays) {
    End(allocation, CloseReason::kRefreshedToZero, request.now);
    return {};
  }
  CloseLeg(allocation, concerned[0] ? AddressFamily::kIpv4 : AddressFamily::kIpv6);
  CheckTouched(allocation);
  return {};
}

}  // namespace turnpike
