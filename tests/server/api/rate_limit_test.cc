#include "server/api/rate_limit.h"

#include <doctest/doctest.h>

namespace turnpike {
namespace {

TEST_CASE("a bucket holds a second's requests and fills again") {
  RateLimiter limiter;
  MonoTime now{};
  for (int i = 0; i < 10; ++i) CHECK(limiter.Take("a", 10, now));
  CHECK_FALSE(limiter.Take("a", 10, now));
  CHECK(limiter.Take("b", 10, now));
  now += std::chrono::milliseconds(100);
  CHECK(limiter.Take("a", 10, now));
  CHECK_FALSE(limiter.Take("a", 10, now));
  CHECK(limiter.Take("a", 0, now));
}

TEST_CASE("of ten thousand requests in a second, as many pass as the limit says") {
  RateLimiter limiter;
  int passed = 0;
  for (int i = 0; i < 10'000; ++i) {
    passed += limiter.Take("a", 100, MonoTime{} + i * std::chrono::microseconds(100)) ? 1 : 0;
  }
  CHECK(passed >= 198);
  CHECK(passed <= 200);
}

TEST_CASE("senders beyond what is remembered do not grow it") {
  RateLimiter limiter;
  for (size_t i = 0; i < 2 * RateLimiter::kMaxKeys + 1; ++i) {
    REQUIRE(limiter.Take(std::to_string(i), 1, MonoTime{}));
  }
}

TEST_CASE("a host of IPv6 has one bucket for its /64") {
  const auto key = [](const char* ip) { return RateKey(*IpAddress::Parse(ip)); };
  CHECK(key("2001:db8::1") == key("2001:db8::2"));
  CHECK(key("2001:db8::1") != key("2001:db8:0:1::1"));
  CHECK(key("::ffff:203.0.113.7") == key("203.0.113.7"));
  CHECK(key("203.0.113.7") != key("203.0.113.8"));
}

}  // namespace
}  // namespace turnpike
