// How packets beyond a rate are held back: what one worker keeps of sessions and accounts.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "common/base/time.h"
#include "common/metering/usage.h"
#include "server/turn/quota.h"
#include "server/turn/token_bucket.h"

namespace turnpike {

// RateLimits are the rates that hold back packets, made ready for buckets.
struct RateLimits {
  RateLimit session_bytes;
  RateLimit session_packets;
  RateLimit account_bytes;

  RateLimits() = default;
  explicit RateLimits(const LimitOptions& options);

  bool any() const {
    return session_bytes.limits() || session_packets.limits() || account_bytes.limits();
  }
};

// AccountShare is one worker's part in an account's bandwidth. The account's bucket is shared by
// all workers, so a worker takes from it a lease for many packets at once (8 ms' worth, 64 KiB at
// most), and a packet costs a subtraction. A fixed share for each worker would be simpler and
// wrong: an account with one session, so on one worker, would get a fraction of its bandwidth. A
// lease that lies unused lets that much more through at once, never more in the long run.
class AccountShare {
 public:
  explicit AccountShare(std::shared_ptr<AccountQuota> quota) : quota_(std::move(quota)) {}
  ~AccountShare() { Publish({}); }
  AccountShare(const AccountShare&) = delete;
  AccountShare& operator=(const AccountShare&) = delete;

  // Take lets `bytes` pass and returns true if the account has them.
  bool Take(Direction direction, uint64_t bytes, const RateLimit& limit, MonoTime now) {
    const auto d = static_cast<size_t>(direction);
    if (lease_[d] < bytes && !Lease(d, bytes - lease_[d], limit, now)) return false;
    lease_[d] -= bytes;
    used_[d] += bytes;
    return true;
  }

  // Charge lets `bytes` pass in any case, and returns when the account has no debt any more.
  MonoTime Charge(Direction direction, uint64_t bytes, const RateLimit& limit, MonoTime now);

  // Measure tells all workers how much passed here since the last call, `elapsed_ms` ago.
  void Measure(uint64_t elapsed_ms);

  AccountQuota& quota() const { return *quota_; }

  uint32_t allocations = 0;  // of this worker, for whoever keeps the share

 private:
  bool Lease(size_t direction, uint64_t least, const RateLimit& limit, MonoTime now);
  void Publish(const std::array<uint64_t, kDirectionCount>& bytes_per_second);

  const std::shared_ptr<AccountQuota> quota_;
  std::array<uint64_t, kDirectionCount> lease_{};
  std::array<uint64_t, kDirectionCount> used_{};
  std::array<uint64_t, kDirectionCount> published_{};
};

// Throttle holds back one session. There is none where nothing is limited, so that an unlimited
// packet costs one comparison.
class Throttle {
 public:
  // `share` is not owned and outlives the throttle.
  explicit Throttle(AccountShare& share) : share_(share) {}

  // Take lets a packet of `bytes` payload pass and returns nullopt, or returns the limit that holds
  // it back; then nothing is taken from any bucket.
  std::optional<Limit> Take(Direction direction, uint64_t bytes, const RateLimits& limits,
                            MonoTime now);

  // Charge lets `bytes` of a stream pass in any case, and returns when the next may.
  MonoTime Charge(Direction direction, uint64_t bytes, const RateLimits& limits, MonoTime now);

  // Use is what passed since the last call, in the direction in which it was more.
  struct Use {
    uint64_t bytes = 0;
    uint64_t packets = 0;
  };
  Use TakeUse();

 private:
  struct Flow {
    TokenBucket bytes;
    TokenBucket packets;
    Use use;
  };

  AccountShare& share_;
  std::array<Flow, kDirectionCount> flows_;
};

}  // namespace turnpike
