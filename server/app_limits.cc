// How much of each limit is in use.
#include <algorithm>

#include "server/app.h"
#include "server/setup.h"

namespace turnpike {

void App::SetLimits(const config::Config& config) {
  const std::lock_guard lock(published_mutex_);
  limits_ = MakeLimits(config);
}

std::vector<QuotaUse> App::Quotas() const {
  LimitOptions limits;
  {
    const std::lock_guard lock(published_mutex_);
    limits = limits_;
  }
  std::vector<QuotaUse> all;
  const auto add = [&](QuotaUse use) {
    if (use.limit != 0) all.push_back(std::move(use));
  };
  add({"ports", "", directory_->ports_in_use(), directory_->ports_total()});
  add({"slots", "", slots_->used(), max_slots_});
  const auto fullest = directory_->quotas().Read();
  const auto add_limit = [&](Limit limit, uint64_t value) {
    const Quotas::Fullest& most = fullest[static_cast<size_t>(limit)];
    add({LimitName(limit), "", most.used, value, most.who});
  };
  add_limit(Limit::kAllocations, limits.allocations);
  add_limit(Limit::kAllocationsPerUsername, limits.allocations_per_username);
  add_limit(Limit::kAllocationsPerAccount, limits.allocations_per_account);
  add_limit(Limit::kAllocationsPerAddress, limits.allocations_per_address);
  const ConnectionLimits::Use connections = connection_limits_->use();
  add({"connections", "", connections.total, connections.max_total});
  add({"connections_per_address", "", connections.of_fullest, connections.max_per_address,
       connections.of_fullest == 0 ? "" : connections.fullest.ToString()});

  uint64_t bytes = 0;
  uint64_t packets = 0;
  for (const auto& worker : workers_) {
    const TurnStats& stats = *worker->view().stats;
    bytes = std::max(bytes, stats.fullest_session_bytes_per_second.Get());
    packets = std::max(packets, stats.fullest_session_packets_per_second.Get());
  }
  const Quotas::Fullest& account = fullest[static_cast<size_t>(Limit::kAccountBandwidth)];
  add({"session_bandwidth", "bit/s", bytes * 8, limits.session_bandwidth * 8});
  add({"session_packets", "packets/s", packets, limits.session_packets});
  add({"account_bandwidth", "bit/s", account.used * 8, limits.account_bandwidth * 8, account.who});
  return all;
}

}  // namespace turnpike
