#include "server/turn/source_limiter.h"

#include <algorithm>
#include <chrono>

namespace turnpike {
namespace {

constexpr Duration kBurst = std::chrono::seconds(2);

}  // namespace

void SourceLimiter::SetRate(uint32_t per_second) {
  if (per_second == 0) {
    std::vector<MonoTime>().swap(full_at_);
    return;
  }
  interval_ = Duration(std::chrono::seconds(1)) / per_second;
  full_at_.resize(kCells);
}

bool SourceLimiter::Admit(const IpAddress& source, MonoTime now) {
  if (full_at_.empty()) return true;
  const auto key = source.bytes();
  const uint64_t hash = SipHash13(key_, source.is_v4() ? key : key.first(8));
  MonoTime& full_at = full_at_[hash % kCells];
  const MonoTime next = std::max(full_at, now) + interval_;
  if (next - now > kBurst) return false;
  full_at = next;
  return true;
}

}  // namespace turnpike
