#include "server/io/connection_limits.h"

#include <algorithm>
#include <array>

#include "common/base/check.h"

namespace turnpike {

IpAddress ConnectionLimits::KeyOf(const IpAddress& client) {
  if (client.is_v4()) return client;
  std::array<uint8_t, 16> prefix{};
  std::ranges::copy(client.bytes().first(8), prefix.begin());
  return IpAddress::V6(prefix);
}

void ConnectionLimits::SetLimits(uint32_t total, uint32_t per_address) {
  const std::lock_guard lock(mutex_);
  max_total_ = total;
  max_per_address_ = per_address;
}

ConnectionLimits::Verdict ConnectionLimits::Admit(const IpAddress& client) {
  const IpAddress key = KeyOf(client);
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
  const auto found = by_address_.find(KeyOf(client));
  TP_CHECK(found != by_address_.end() && total_ > 0);
  if (--found->second == 0) by_address_.erase(found);
  --total_;
}

uint32_t ConnectionLimits::total() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

}  // namespace turnpike
