#include "server/io/connection_limits.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/net/host_prefix.h"

namespace turnpike {

void ConnectionLimits::SetLimits(uint32_t total, uint32_t per_address) {
  const std::lock_guard lock(mutex_);
  max_total_ = total;
  max_per_address_ = per_address;
}

ConnectionLimits::Verdict ConnectionLimits::Admit(const IpAddress& client) {
  const IpAddress key = HostPrefix(client);
  const std::lock_guard lock(mutex_);
  if (max_total_ != 0 && total_ >= max_total_) return Verdict::kTooMany;
  const auto found = by_address_.find(key);
  const uint32_t of_address = found == by_address_.end() ? 0 : found->second;
  if (max_per_address_ != 0 && of_address >= max_per_address_) return Verdict::kTooManyOfAddress;
  ++by_address_[key];
  ++total_;
  return Verdict::kAdmitted;
}

void ConnectionLimits::Release(const IpAddress& client) {
  const std::lock_guard lock(mutex_);
  const auto found = by_address_.find(HostPrefix(client));
  TP_CHECK(found != by_address_.end() && total_ > 0);
  if (--found->second == 0) by_address_.erase(found);
  --total_;
}

uint32_t ConnectionLimits::total() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

ConnectionLimits::Use ConnectionLimits::use() const {
  const std::lock_guard lock(mutex_);
  Use use;
  use.total = total_;
  use.max_total = max_total_;
  use.max_per_address = max_per_address_;
  for (const auto& [address, count] : by_address_) {
    if (count <= use.of_fullest) continue;
    use.of_fullest = count;
    use.fullest = address;
  }
  return use;
}

}  // namespace turnpike
