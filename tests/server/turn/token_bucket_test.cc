#include "server/turn/token_bucket.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace turnpike {
namespace {

constexpr MonoTime kStart{std::chrono::hours(100)};
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("a bucket gives what a second brings at once, then the rate, to the token") {
  const RateLimit limit(1000, 1);
  TokenBucket bucket;
  CHECK(bucket.Has(1000, limit, kStart));
  CHECK_FALSE(bucket.Has(1001, limit, kStart));
  bucket.Take(1000, limit, kStart);
  CHECK_FALSE(bucket.Has(1, limit, kStart));
  CHECK_FALSE(bucket.Has(1, limit, kStart + milliseconds(1) - Duration(1)));
  CHECK(bucket.Has(1, limit, kStart + milliseconds(1)));
  CHECK_MESSAGE(!bucket.Has(2, limit, kStart), "time that goes back brings nothing");
  CHECK(bucket.Has(500, limit, kStart + milliseconds(500)));
  CHECK_MESSAGE(!bucket.Has(1001, limit, kStart + seconds(1'000'000)), "no more than full");
  CHECK(bucket.Has(1000, limit, kStart + seconds(1'000'000)));
}

TEST_CASE("what a bucket lets through in an hour is its rate and one filling") {
  const RateLimit limit(12'345, 1500);
  TokenBucket bucket;
  uint64_t passed = 0;
  MonoTime now = kStart;
  for (; now < kStart + seconds(3600); now += Duration(7'654'321)) {
    for (int i = 0; i < 4; ++i) {
      if (!bucket.Has(160, limit, now)) continue;
      bucket.Take(160, limit, now);
      passed += 160;
    }
  }
  CHECK(passed <= 12'345 * 3600 + 12'345);
  CHECK(passed > 12'345 * 3600 - 160);
}

TEST_CASE(
    "the largest packet fits however low the rate is, and the largest rate overflows nothing") {
  const RateLimit low(10, 65536);
  TokenBucket bucket;
  CHECK(bucket.Has(65536, low, kStart));
  bucket.Take(65536, low, kStart);
  CHECK(bucket.ReadyAt(low, kStart) == kStart);
  const RateLimit high(UINT64_MAX, 65536);
  CHECK(high.per_second() == RateLimit::kMost);
  TokenBucket large;
  CHECK(large.Has(RateLimit::kMost, high, kStart));
  large.Take(RateLimit::kMost, high, kStart);
  large.Take(RateLimit::kMost, high, kStart);
  CHECK(large.ReadyAt(high, kStart) <= kStart + seconds(1) + Duration(2));
  CHECK(large.Has(RateLimit::kMost, high, kStart + seconds(1'000'000)));
  CHECK_FALSE(RateLimit(0, 65536).limits());
}

TEST_CASE("a debt is paid off at the rate, and a smaller bucket keeps no more than it holds") {
  const RateLimit limit(1000, 1);
  TokenBucket bucket;
  bucket.Take(1500, limit, kStart);
  const MonoTime ready = bucket.ReadyAt(limit, kStart);
  CHECK(ready >= kStart + milliseconds(500));
  CHECK(ready <= kStart + milliseconds(501));
  CHECK(bucket.Has(0, limit, ready));
  CHECK_FALSE(bucket.Has(2, limit, ready));
  bucket.Take(1'000'000, limit, ready);
  CHECK_MESSAGE(bucket.Has(1000, limit, ready + seconds(2) + milliseconds(1)),
                "a debt is of one full bucket at most");

  TokenBucket other;
  CHECK(other.Has(1000, limit, kStart));
  CHECK_FALSE(other.Has(101, RateLimit(100, 1), kStart));
}

TEST_CASE("a shared bucket gives what one of a single thread does, and knows when it is full") {
  const RateLimit limit(1000, 1);
  SharedBucket bucket;
  CHECK(bucket.full_at() < kStart);
  CHECK(bucket.Take(1000, limit, kStart));
  CHECK_FALSE(bucket.Take(1, limit, kStart));
  CHECK(bucket.full_at() == kStart + seconds(1));
  CHECK(bucket.Take(1, limit, kStart + milliseconds(1)));
  CHECK_MESSAGE(!bucket.Take(1, limit, kStart), "another thread's clock is behind");
  CHECK(bucket.Take(1000, limit, kStart + seconds(1000)));
  CHECK(bucket.Charge(500, limit, kStart + seconds(1000)) >=
        kStart + seconds(1000) + milliseconds(499));
  CHECK(bucket.Charge(1, limit, kStart + seconds(2000)) == kStart + seconds(2000));
}

TEST_CASE("threads that share a bucket get no more than it holds, and all of it") {
  const RateLimit limit(100'000, 1);
  SharedBucket bucket;
  std::atomic<uint64_t> taken = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) {
        if (bucket.Take(100, limit, kStart)) taken += 100;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(taken == 100'000);
}

}  // namespace
}  // namespace turnpike
