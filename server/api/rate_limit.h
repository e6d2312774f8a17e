// Limits of requests per second, by whoever sends them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "common/base/time.h"
#include "common/net/transport_address.h"

namespace turnpike {

// RateLimiter gives everybody a bucket of as many requests as it refills in a second. Any thread.
// It remembers up to kMaxKeys senders: when there are more, those whose buckets are full are
// forgotten, which changes nothing for them, and if none is, all are.
class RateLimiter {
 public:
  static constexpr size_t kMaxKeys = 65536;

  // Take takes one request from the bucket of `key`; false when it is empty. 0 `per_second` means
  // no limit.
  bool Take(const std::string& key, uint32_t per_second, MonoTime now);

 private:
  struct Bucket {
    double tokens = 0;
    MonoTime filled{};
  };
  void Forget(uint32_t per_second, MonoTime now);

  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;
};

// RateKey is the address, or the /64 of an IPv6 address, which one host may own.
std::string RateKey(const IpAddress& ip);

}  // namespace turnpike
