#include "server/turn/allocation.h"

#include <algorithm>

namespace turnpike {

void Allocation::InstallPermission(const IpAddress& ip, MonoTime now) {
  const MonoTime expires_at = now + kPermissionLifetime;
  if (Permission* known = permissions.FindIf([&](const Permission& p) { return p.ip == ip; })) {
    known->expires_at = expires_at;
    return;
  }
  permissions.Add(Permission{.ip = ip, .permitted_port = 0, .expires_at = expires_at});
}

PeerStream* Allocation::FindStream(PeerStreamId id) {
  const auto found = std::ranges::find(streams, id, &PeerStream::id);
  return found == streams.end() ? nullptr : &*found;
}

MonoTime Allocation::NextDeadline() const {
  MonoTime first = ends_at;
  for (const Leg& leg : legs) {
    if (leg.open) first = std::min(first, leg.expires_at);
  }
  for (size_t i = 0; i < permissions.size(); ++i) {
    first = std::min(first, permissions[i].expires_at);
  }
  for (size_t i = 0; i < channels.size(); ++i) {
    first = std::min(first, channels[i].expires_at + kChannelRest);
  }
  for (const PeerStream& stream : streams) first = std::min(first, stream.expires_at);
  return first;
}

void Allocation::Expire(MonoTime now) {
  permissions.RemoveIf([&](const Permission& p) { return p.expires_at <= now; });
  channels.RemoveIf([&](const Channel& c) { return c.expires_at + kChannelRest <= now; });
}

void Allocation::DropFamily(AddressFamily family) {
  permissions.RemoveIf([&](const Permission& p) { return p.ip.family() == family; });
  channels.RemoveIf([&](const Channel& c) { return c.peer.ip.family() == family; });
}

bool Allocation::StreamsAreConsistent() const {
  for (const PeerStream& stream : streams) {
    if (protocol != RelayProtocol::kTcp || state != AllocationState::kLive) return false;
    if (!legs[LegIndex(stream.peer.ip.family())].open) return false;
    if ((stream.request != nullptr) != (stream.state == PeerStreamState::kConnecting)) return false;
    if (std::ranges::count(streams, stream.id, &PeerStream::id) != 1) return false;
  }
  return protocol == RelayProtocol::kUdp || channels.empty();
}

bool Allocation::IsConsistent() const {
  if (!StreamsAreConsistent()) return false;
  for (size_t i = 0; i < channels.size(); ++i) {
    const Channel& channel = channels[i];
    if (channel.number < stun::kFirstChannel || channel.number > stun::kLastRfc5766Channel)
      return false;
    if (!legs[LegIndex(channel.peer.ip.family())].open) return false;
    for (size_t j = 0; j < i; ++j) {
      if (channels[j].number == channel.number || channels[j].peer == channel.peer) return false;
    }
  }
  for (size_t i = 0; i < permissions.size(); ++i) {
    if (!legs[LegIndex(permissions[i].ip.family())].open) return false;
    for (size_t j = 0; j < i; ++j) {
      if (permissions[j].ip == permissions[i].ip) return false;
    }
  }
  if (mobility != nullptr && state != AllocationState::kLive) return false;
  if (next_tuple() != nullptr && !detached() && *next_tuple() == five_tuple) return false;
  const bool any_open = legs[0].open || legs[1].open;
  switch (state) {
    case AllocationState::kFree:
      return !any_open && forwards_out == 0 && !awaits_open && opening == nullptr;
    case AllocationState::kOpening:
      return awaits_open && opening != nullptr && forwards_out == 0 && permissions.empty();
    case AllocationState::kLive:
      return any_open && !awaits_open && opening == nullptr && meter.valid();
    case AllocationState::kEnded:
      return !any_open && (forwards_out != 0 || awaits_open) && permissions.empty();
  }
  return false;
}

}  // namespace turnpike
