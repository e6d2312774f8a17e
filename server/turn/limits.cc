// Limits on what allocations there may be, and on what they may move.
#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "server/turn/turn_server_impl.h"

namespace turnpike {

// TakeQuota is step 10 of RFC 8656 §7.2: "The server MUST verify that ... it has not reached its
// allocation quota": 486. The RFC lets servers define quotas as they like. What all clients
// together may have is no quota of any of them: 508, "unable to create the allocation due to some
// capacity limit being reached" (§19).
std::expected<std::shared_ptr<AccountQuota>, ErrorStatus> TurnServer::Impl::TakeQuota(
    const QuotaHolder& holder, MonoTime now) {
  auto quota = directory_.quotas().Take(holder, options_.limits, now);
  if (quota) return std::move(*quota);
  stats_.limited[static_cast<size_t>(quota.error())].Add(1);
  return std::unexpected(quota.error() == Limit::kAllocations
                             ? ErrorStatus::kInsufficientCapacity
                             : ErrorStatus::kAllocationQuotaReached);
}

void TurnServer::Impl::JoinAccount(Allocation& allocation,
                                   const std::shared_ptr<AccountQuota>& quota) {
  AccountQuota* const key = quota.get();
  allocation.counted_at = allocation.five_tuple.client.ip;
  allocation.share = &shares_.try_emplace(key, quota).first->second;
  ++allocation.share->allocations;
  UpdateThrottle(allocation);
}

void TurnServer::Impl::LeaveAccount(Allocation& allocation, MonoTime now) {
  AccountShare* const share = std::exchange(allocation.share, nullptr);
  allocation.throttle.reset();
  directory_.quotas().Return({.username = allocation.username,
                              .account = share->quota().name,
                              .client = allocation.counted_at},
                             now);
  if (--share->allocations == 0) shares_.erase(&share->quota());
}

// UpdateThrottle gives an allocation a throttle, or takes it away, as the rules want.
void TurnServer::Impl::UpdateThrottle(Allocation& allocation) {
  if (allocation.share == nullptr || !rates_.any()) {
    allocation.throttle.reset();
  } else if (allocation.throttle == nullptr) {
    allocation.throttle = std::make_unique<Throttle>(*allocation.share);
  }
}

bool TurnServer::Impl::ExceedsRate(Allocation& allocation, Direction direction, size_t payload,
                                   MonoTime now) {
  const auto limit = allocation.throttle->Take(direction, payload, rates_, now);
  if (!limit) return false;
  stats_.limited[static_cast<size_t>(*limit)].Add(1);
  Drop(DropReason::kLimit, &allocation);
  return true;
}

void TurnServer::Impl::MeasureUse(Now now) {
  Observe(now);
  const Duration elapsed = now.mono - std::exchange(measured_at_, now.mono);
  const auto ms = static_cast<uint64_t>(
      std::max<int64_t>(1, std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count()));
  Throttle::Use most;
  if (rates_.any()) {
    for (auto& [quota, share] : shares_) share.Measure(ms);
    table_.ForEach([&](Allocation& allocation) {
      if (allocation.throttle == nullptr) return;
      const Throttle::Use use = allocation.throttle->TakeUse();
      most.bytes = std::max(most.bytes, use.bytes);
      most.packets = std::max(most.packets, use.packets);
    });
  }
  stats_.fullest_session_bytes_per_second.Set(most.bytes * 1000 / ms);
  stats_.fullest_session_packets_per_second.Set(most.packets * 1000 / ms);
}

}  // namespace turnpike
