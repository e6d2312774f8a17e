#include "server/turn/source_limiter.h"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <string_view>

namespace turnpike {

namespace {

using std::chrono::seconds;

IpAddress Ip(std::string_view text) { return *IpAddress::Parse(text); }

// Admitted counts how many of `attempts` get through at `now`.
int Admitted(SourceLimiter& limiter, const IpAddress& source, int attempts, MonoTime now) {
  int admitted = 0;
  for (int i = 0; i < attempts; ++i) admitted += limiter.Admit(source, now) ? 1 : 0;
  return admitted;
}

}  // namespace

TEST_CASE("without a rate everything is admitted") {
  SourceLimiter limiter({1, 2});
  CHECK(Admitted(limiter, Ip("7.7.7.7"), 100'000, MonoTime(seconds(5))) == 100'000);
}

TEST_CASE("a source gets two seconds' worth at once, and then its rate") {
  SourceLimiter limiter({1, 2});
  limiter.SetRate(10);
  MonoTime now(seconds(5));
  CHECK(Admitted(limiter, Ip("7.7.7.7"), 1000, now) == 20);
  for (int i = 0; i < 10; ++i) {
    now += seconds(1);
    CHECK(Admitted(limiter, Ip("7.7.7.7"), 1000, now) == 10);
  }
  CHECK(Admitted(limiter, Ip("7.7.7.8"), 1000, now) == 20);
  CHECK(Admitted(limiter, Ip("7.7.7.7"), 1000, now + seconds(3600)) == 20);
}

TEST_CASE("an IPv6 source is its /64") {
  SourceLimiter limiter({1, 2});
  limiter.SetRate(1);
  const MonoTime now(seconds(5));
  CHECK(Admitted(limiter, Ip("2a00:1:2:3::1"), 10, now) == 2);
  CHECK(Admitted(limiter, Ip("2a00:1:2:3:ffff::1"), 10, now) == 0);
  CHECK(Admitted(limiter, Ip("2a00:1:2:4::1"), 10, now) == 2);
}

TEST_CASE("a flood from a million sources leaves a stranger its rate with another key") {
  // All cells are taken by a flood of that size; what a source shares with others the key decides.
  SourceLimiter limiter({1, 2});
  limiter.SetRate(100);
  MonoTime now(seconds(5));
  int admitted = 0;
  for (uint32_t i = 0; i < 1'000'000; ++i) {
    const auto bytes = std::to_array<uint8_t>(
        {10, static_cast<uint8_t>(i >> 16), static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)});
    admitted += limiter.Admit(IpAddress::V4(bytes), now) ? 1 : 0;
  }
  // 61 sources share a cell, each asked once, and 200 may.
  CHECK(admitted == 1'000'000);
  CHECK(limiter.Admit(Ip("7.7.7.7"), now));
}

TEST_CASE("a limit that is lifted and set again begins anew") {
  SourceLimiter limiter({1, 2});
  limiter.SetRate(1);
  const MonoTime now(seconds(5));
  CHECK(Admitted(limiter, Ip("7.7.7.7"), 10, now) == 2);
  limiter.SetRate(0);
  CHECK(Admitted(limiter, Ip("7.7.7.7"), 10, now) == 10);
  limiter.SetRate(5);
  CHECK(Admitted(limiter, Ip("7.7.7.7"), 100, now) == 10);
}

}  // namespace turnpike
