// How allocations end: by time, by their client, by their connection, by the server.
#include <algorithm>

#include "common/base/check.h"
#include "server/turn/turn_server_impl.h"

namespace turnpike {

Counter& TurnServer::Impl::Gauge(const Allocation& allocation, AddressFamily family) {
  return stats_.allocations[static_cast<size_t>(allocation.metered_as)][LegIndex(family)];
}

// Settle applies what time has done to an allocation, and arms its next deadline.
void TurnServer::Impl::Settle(Allocation& allocation, Now now) {
  if (allocation.state != AllocationState::kLive) return;
  if (allocation.ends_at <= now.mono) {
    End(allocation, CloseReason::kExpired, now);
    return;
  }
  for (const AddressFamily family : {AddressFamily::kIpv4, AddressFamily::kIpv6}) {
    const Leg& leg = allocation.legs[LegIndex(family)];
    if (!leg.open || leg.expires_at > now.mono) continue;
    const Leg& other = allocation.legs[1 - LegIndex(family)];
    if (!other.open) {
      End(allocation, CloseReason::kExpired, now);
      return;
    }
    CloseLeg(allocation, family);
  }
  CloseStreamsIf(allocation, [&](const PeerStream& s) { return s.expires_at <= now.mono; });
  allocation.Expire(now.mono);
  deadlines_.Arm(allocation.index, allocation.NextDeadline());
  CheckTouched(allocation);
}

// FindSettled returns the allocation of `tuple` as of now: one whose time has passed ends here,
// even if the timer has not come round to it yet.
Allocation* TurnServer::Impl::FindSettled(const FiveTuple& tuple, Now now) {
  Allocation* allocation = table_.Find(tuple);
  if (allocation == nullptr) return nullptr;
  if (allocation->state == AllocationState::kLive && allocation->NextDeadline() <= now.mono) {
    Settle(*allocation, now);
    return table_.Find(tuple);
  }
  return allocation;
}

// CloseLeg closes one relay and returns its port. The allocation goes on, or is ending.
void TurnServer::Impl::CloseLeg(Allocation& allocation, AddressFamily family) {
  Leg& leg = allocation.legs[LegIndex(family)];
  TP_DCHECK(leg.open);
  // RFC 6062 §5.5: "If the allocation associated with a data connection expires, the data
  // connection MUST be closed."
  CloseStreamsIf(allocation, [&](const PeerStream& s) { return s.peer.ip.family() == family; });
  outputs_.push_back(
      CloseRelay{.relay = allocation.relay_id(family), .protocol = allocation.protocol});
  directory_.ReturnPort(leg.bind.ip, leg.bind.port);
  allocation.DropFamily(family);
  leg.open = false;
  if (allocation.state == AllocationState::kLive) {
    Counter& gauge = Gauge(allocation, family);
    gauge.Set(gauge.Get() - 1);
  }
}

void TurnServer::Impl::End(Allocation& allocation, CloseReason reason, Now now) {
  TP_CHECK(allocation.state == AllocationState::kOpening ||
           allocation.state == AllocationState::kLive);
  for (const AddressFamily family : {AddressFamily::kIpv4, AddressFamily::kIpv6}) {
    if (allocation.legs[LegIndex(family)].open) CloseLeg(allocation, family);
  }
  LeaveAll(allocation);
  deadlines_.Disarm(allocation.index);
  LeaveAccount(allocation, now.mono);
  if (allocation.state == AllocationState::kLive) {
    --live_count_;
    CountClosed(allocation, now);
    stats_.closed[static_cast<size_t>(reason)].Add(1);
  }
  allocation.state = AllocationState::kEnded;
  allocation.close_reason = reason;
  allocation.ended_at = now.wall;
  RetireIfDone(allocation);
}

// RetireIfDone frees an ended allocation once nothing can be counted any more. Until then the
// totals in its slot are not final, so AllocationClosed waits.
void TurnServer::Impl::RetireIfDone(Allocation& allocation) {
  if (allocation.state != AllocationState::kEnded) return;
  if (allocation.forwards_out != 0 || allocation.awaits_open) {
    CheckTouched(allocation);
    return;
  }
  if (allocation.meter.valid()) {
    outputs_.push_back(AllocationClosed{.slot = allocation.meter.slot(),
                                        .session = allocation.session,
                                        .reason = allocation.close_reason,
                                        .ended_at = allocation.ended_at});
  }
  table_.Free(allocation);
  CheckTouched(allocation);
}

void TurnServer::Impl::CountClosed(const Allocation& allocation, Now now) {
  const auto lived = now.mono - allocation.created_at;
  const auto seconds = std::chrono::duration<double>(lived).count();
  size_t bucket = 0;
  while (bucket < kDurationBoundsSeconds.size() && seconds > kDurationBoundsSeconds[bucket]) {
    ++bucket;
  }
  stats_.duration_buckets[bucket].Add(1);
  stats_.duration_sum_ms.Add(
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(lived).count()));
}

void TurnServer::Impl::OnLinkClosed(LinkId link, Now now) {
  Observe(now);
  const auto found = by_link_.find(link);
  if (found == by_link_.end()) return;
  Allocation& allocation = table_.At(found->second);
  if (allocation.mobility == nullptr) {
    End(allocation, CloseReason::kTransportClosed, now);
  } else if (allocation.link != link) {
    // It went there, sent nothing, and is gone again: what it had before still serves.
    LeaveNext(allocation);
    CheckTouched(allocation);
  } else if (allocation.next_tuple() != nullptr) {
    // RFC 8016 §3.2.2: "or a message from the client to close the old connection".
    CompleteMove(allocation);
  } else {
    // Its network may be gone with it. The ticket is good as long as the allocation lives.
    LeaveTuple(allocation, {.five_tuple = allocation.five_tuple, .link = link});
    allocation.mobility->detached = true;
    CheckTouched(allocation);
  }
}

size_t TurnServer::Impl::EndSessions(std::span<const SessionId> sessions, CloseReason reason,
                                     Now now) {
  Observe(now);
  std::vector<SessionId> sorted(sessions.begin(), sessions.end());
  std::ranges::sort(sorted);
  size_t ended = 0;
  table_.ForEach([&](Allocation& allocation) {
    if (allocation.state != AllocationState::kLive ||
        !std::ranges::binary_search(sorted, allocation.session)) {
      return;
    }
    End(allocation, reason, now);
    ++ended;
  });
  return ended;
}

void TurnServer::Impl::CloseAll(CloseReason reason, Now now) {
  Observe(now);
  table_.ForEach([&](Allocation& allocation) {
    if (allocation.state == AllocationState::kOpening ||
        allocation.state == AllocationState::kLive) {
      End(allocation, reason, now);
    }
  });
}

}  // namespace turnpike
