// Token buckets: how rates are limited. Time is an argument; nothing here locks or allocates.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "common/base/time.h"

namespace turnpike {

// RateLimit is a rate and what may come at once. One serves all buckets of a kind. The default
// limits nothing.
class RateLimit {
 public:
  // Tokens a second, at most. Levels count billionths of a token, so that nanoseconds times a rate
  // are exact; two full buckets must fit into 63 bits. Where tokens are bytes it is 32 Gbit/s.
  static constexpr uint64_t kMost = 4'000'000'000;

  constexpr RateLimit() = default;

  // A bucket holds what a second brings, but at least `least_burst`: the largest amount that is
  // ever asked for at once must fit. 0 `per_second`: no limit.
  constexpr RateLimit(uint64_t per_second, uint64_t least_burst)
      : per_second_(static_cast<int64_t>(std::min(per_second, kMost))) {
    if (per_second_ == 0) return;
    burst_ = std::max(per_second_, static_cast<int64_t>(least_burst)) * kScale;
    fill_time_ = Duration(burst_ / per_second_ + 1);
  }

  constexpr bool limits() const { return per_second_ != 0; }
  constexpr uint64_t per_second() const { return static_cast<uint64_t>(per_second_); }

 private:
  friend class TokenBucket;
  friend class SharedBucket;
  static constexpr int64_t kScale = 1'000'000'000;

  int64_t per_second_ = 0;
  int64_t burst_ = 0;     // in billionths
  Duration fill_time_{};  // of an empty bucket
};

// TokenBucket is the bucket of one thread. It begins full. All calls on one bucket name the same
// limit, until a reload changes it.
class TokenBucket {
 public:
  // Has says whether `amount` may pass at `now`. Time that goes back counts as none.
  bool Has(uint64_t amount, const RateLimit& limit, MonoTime now) {
    Fill(limit, now);
    return level_ >= Scaled(amount);
  }

  // Take lets `amount` pass, whether the bucket has it or not: what it lacks is a debt, of one full
  // bucket at most.
  void Take(uint64_t amount, const RateLimit& limit, MonoTime now) {
    Fill(limit, now);
    level_ = std::max(level_ - Scaled(amount), -limit.burst_);
  }

  // ReadyAt says when there is no debt any more.
  MonoTime ReadyAt(const RateLimit& limit, MonoTime now) const {
    return level_ >= 0 ? now : now + Duration(-level_ / limit.per_second_ + 1);
  }

 private:
  static int64_t Scaled(uint64_t amount) {
    return static_cast<int64_t>(amount) * RateLimit::kScale;
  }

  void Fill(const RateLimit& limit, MonoTime now) {
    level_ = std::min(level_, limit.burst_);
    Duration elapsed = now - filled_at_;
    if (elapsed.count() <= 0) return;
    elapsed = std::min(elapsed, level_ < 0 ? 2 * limit.fill_time_ : limit.fill_time_);
    level_ = std::min(level_ + elapsed.count() * limit.per_second_, limit.burst_);
    filled_at_ = now;
  }

  int64_t level_ = INT64_MAX;  // more than any bucket holds
  MonoTime filled_at_{};
};

// SharedBucket is one bucket for all threads, whose readings of the clock may differ a little. It
// begins full. It keeps one number, the moment at which it will be full again, so that a
// compare-and-swap is all it takes.
class SharedBucket {
 public:
  // Take lets `amount` pass at `now` and returns true if the bucket has it.
  bool Take(uint64_t amount, const RateLimit& limit, MonoTime now) {
    const int64_t cost = Cost(amount, limit);
    const int64_t at = now.time_since_epoch().count();
    int64_t full_at = full_at_.load(std::memory_order_relaxed);
    int64_t next = 0;
    do {
      next = std::max(full_at, at) + cost;
      if (next - at > limit.fill_time_.count()) return false;
    } while (!full_at_.compare_exchange_weak(full_at, next, std::memory_order_relaxed));
    return true;
  }

  // full_at is when the bucket will be full again, or was.
  MonoTime full_at() const { return MonoTime(Duration(full_at_.load(std::memory_order_relaxed))); }

  // Charge lets `amount` pass in any case, and returns when there is no debt any more.
  MonoTime Charge(uint64_t amount, const RateLimit& limit, MonoTime now) {
    const int64_t cost = Cost(amount, limit);
    const int64_t at = now.time_since_epoch().count();
    const int64_t fill = limit.fill_time_.count();
    int64_t full_at = full_at_.load(std::memory_order_relaxed);
    int64_t next = 0;
    do {
      next = std::min(std::max(full_at, at) + cost, at + 2 * fill);
    } while (!full_at_.compare_exchange_weak(full_at, next, std::memory_order_relaxed));
    return std::max(now, MonoTime(Duration(next - fill)));
  }

 private:
  // Cost is how long it takes to get `amount` back.
  static int64_t Cost(uint64_t amount, const RateLimit& limit) {
    return static_cast<int64_t>(amount) * RateLimit::kScale / limit.per_second_;
  }

  std::atomic<int64_t> full_at_{0};
};

}  // namespace turnpike
