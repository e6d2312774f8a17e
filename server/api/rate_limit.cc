#include "server/api/rate_limit.h"

#include <algorithm>
#include <chrono>

namespace turnpike {
namespace {

double Refilled(double tokens, MonoTime filled, uint32_t per_second, MonoTime now) {
  const double seconds = std::chrono::duration<double>(now - filled).count();
  return std::min(double{1} * per_second, tokens + seconds * per_second);
}

}  // namespace

bool RateLimiter::Take(const std::string& key, uint32_t per_second, MonoTime now) {
  if (per_second == 0) return true;
  const std::lock_guard lock(mutex_);
  if (buckets_.size() >= kMaxKeys) Forget(per_second, now);
  Bucket& bucket = buckets_.try_emplace(key, Bucket{double{1} * per_second, now}).first->second;
  bucket.tokens = Refilled(bucket.tokens, bucket.filled, per_second, now);
  bucket.filled = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

void RateLimiter::Forget(uint32_t per_second, MonoTime now) {
  std::erase_if(buckets_, [&](const auto& item) {
    return Refilled(item.second.tokens, item.second.filled, per_second, now) >= per_second;
  });
  if (buckets_.size() >= kMaxKeys) buckets_.clear();
}

std::string RateKey(const IpAddress& ip) {
  const IpAddress address = ip.Unmapped();
  const ByteSpan bytes = address.bytes();
  const size_t kept = std::min<size_t>(bytes.size(), 8);
  return std::string(reinterpret_cast<const char*>(bytes.data()), kept);
}

}  // namespace turnpike
