// CreatePermission requests (RFC 8656 §10.2).
#include <algorithm>
#include <vector>

#include "server/turn/turn_server_impl.h"

namespace turnpike {

using stun::AttributeType;

Handled TurnServer::Impl::OnCreatePermission(const Request& request) {
  Allocation& allocation = *request.allocation;
  const MonoTime now = request.now.mono;
  // "If no such attribute exists, or if any of these attributes are invalid, then a 400". "The port
  // portion of each attribute will be ignored".
  std::vector<IpAddress> ips;
  bool valid = true;
  request.message.ForEach([&](const stun::Attribute& attribute) {
    if (attribute.type != AttributeType::kXorPeerAddress) return;
    const auto peer = stun::DecodeXorAddress(attribute.value, request.message.transaction_id());
    valid = valid && peer.has_value();
    if (peer) ips.push_back(Canonical(*peer).ip);
  });
  if (!valid || ips.empty()) return std::unexpected(ErrorStatus::kBadRequest);
  // "an address of an address family that is not the same as that of a relayed transport address
  // for the allocation": 443.
  const bool reachable = std::ranges::all_of(
      ips, [&](const IpAddress& ip) { return allocation.live_leg(ip.family(), now) != nullptr; });
  if (!reachable) return std::unexpected(ErrorStatus::kPeerAddressFamilyMismatch);
  // "The server MAY impose restrictions on the IP address allowed": 403.
  const bool permitted = std::ranges::all_of(
      ips, [&](const IpAddress& ip) { return options_.peer_filter->PermitsAddress(ip); });
  if (!permitted) return std::unexpected(ErrorStatus::kForbidden);
  // "unable to satisfy the request due to some capacity limit": 508, before anything is installed.
  allocation.Expire(now);
  std::ranges::sort(ips);
  const auto repeated = std::ranges::unique(ips);
  ips.erase(repeated.begin(), repeated.end());
  const auto added = std::ranges::count_if(
      ips, [&](const IpAddress& ip) { return allocation.FindPermission(ip, now) == nullptr; });
  if (allocation.permissions.size() + static_cast<size_t>(added) > options_.max_permissions) {
    return std::unexpected(ErrorStatus::kInsufficientCapacity);
  }
  for (const IpAddress& ip : ips) allocation.InstallPermission(ip, now);
  deadlines_.Arm(allocation.index, allocation.NextDeadline());
  Answer(request.from, stun::Class::kSuccessResponse, [](stun::MessageBuilder&) {});
  CheckTouched(allocation);
  return {};
}

}  // namespace turnpike
