#include "server/turn/throttle.h"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>

namespace turnpike {
namespace {

constexpr MonoTime kStart{std::chrono::hours(100)};
constexpr auto kUp = Direction::kClientToPeer;
constexpr auto kDown = Direction::kPeerToClient;
using std::chrono::milliseconds;

RateLimits AccountLimit(uint64_t bytes_per_second) {
  return RateLimits(LimitOptions{.account_bandwidth = bytes_per_second});
}

// Pass moves packets of 1000 bytes until the share has none, and returns how many came through.
int Pass(AccountShare& share, const RateLimits& limits, MonoTime now, Direction direction = kUp) {
  int passed = 0;
  while (passed < 100'000 && share.Take(direction, 1000, limits.account_bytes, now)) ++passed;
  return passed;
}

TEST_CASE("workers lease from one bucket: what one leaves the other gets, to the packet") {
  const auto quota = std::make_shared<AccountQuota>();
  const RateLimits limits = AccountLimit(1'000'000);
  AccountShare first(quota);
  AccountShare second(quota);
  CHECK(first.Take(kUp, 1000, limits.account_bytes, kStart));
  // A lease is 8 ms' worth, of which the first worker keeps the rest.
  const int others = Pass(second, limits, kStart);
  CHECK(others == 992);
  CHECK(Pass(first, limits, kStart) == 6);
  CHECK_MESSAGE(Pass(second, limits, kStart, kDown) == 1000, "each direction by itself");
  CHECK(Pass(first, limits, kStart + milliseconds(100)) == 100);
}

TEST_CASE(
    "over an hour two workers together get the rate and one filling, however they take turns") {
  const auto quota = std::make_shared<AccountQuota>();
  const RateLimits limits = AccountLimit(100'000);
  AccountShare shares[2] = {AccountShare(quota), AccountShare(quota)};
  uint64_t passed = 0;
  for (int ms = 0; ms < 3'600'000; ms += 7) {
    const MonoTime now = kStart + milliseconds(ms);
    for (int i = 0; i < 3; ++i) {
      if (shares[(ms + i) % 2].Take(kUp, 700, limits.account_bytes, now)) passed += 700;
    }
  }
  CHECK(passed <= uint64_t{100'000} * 3601);
  CHECK(passed >= uint64_t{100'000} * 3600 - 2000);
}

TEST_CASE("a session's packet is taken from every bucket or from none") {
  const auto quota = std::make_shared<AccountQuota>();
  AccountShare share(quota);
  const RateLimits limits(LimitOptions{
      .session_bandwidth = 100'000, .account_bandwidth = 150'000, .session_packets = 120});
  Throttle one(share);
  Throttle two(share);
  const auto pass = [&](Throttle& throttle, std::optional<Limit>* why) {
    int passed = 0;
    while (!(*why = throttle.Take(kUp, 1000, limits, kStart))) ++passed;
    return passed;
  };
  std::optional<Limit> why;
  CHECK(pass(one, &why) == 100);
  CHECK(why == Limit::kSessionBandwidth);
  CHECK(pass(two, &why) == 50);
  CHECK(why == Limit::kAccountBandwidth);
  CHECK_MESSAGE(!two.Take(kUp, 0, limits, kStart), "an empty one costs a packet alone");
  for (int i = 0; i < 69; ++i) CHECK(!two.Take(kUp, 0, limits, kStart));
  CHECK(two.Take(kUp, 0, limits, kStart) == Limit::kSessionPackets);
  const Throttle::Use use = two.TakeUse();
  CHECK(use.packets == 120);
  CHECK(use.bytes == 50'000);
  CHECK(two.TakeUse().packets == 0);
}

TEST_CASE("the rate of an account is what its workers measured, and goes with them") {
  const auto quota = std::make_shared<AccountQuota>();
  const RateLimits limits = AccountLimit(1'000'000);
  {
    AccountShare first(quota);
    AccountShare second(quota);
    for (AccountShare* share : {&first, &second}) {
      CHECK(share->Take(kUp, 3000, limits.account_bytes, kStart));
      share->Measure(500);
    }
    CHECK(quota->bytes_per_second[0] == 12'000);
    first.Measure(500);
    CHECK(quota->bytes_per_second[0] == 6'000);
  }
  CHECK(quota->bytes_per_second[0] == 0);
}

TEST_CASE("a stream may run into debt with its session and its account, and waits for both") {
  const auto quota = std::make_shared<AccountQuota>();
  AccountShare share(quota);
  const RateLimits limits(LimitOptions{.session_bandwidth = 200'000, .account_bandwidth = 100'000});
  Throttle throttle(share);
  CHECK(throttle.Charge(kUp, 100'000, limits, kStart) == kStart);
  const Duration wait = throttle.Charge(kUp, 50'000, limits, kStart) - kStart;
  CHECK(wait > milliseconds(499));
  CHECK(wait <= milliseconds(500));
  CHECK_MESSAGE(throttle.Charge(kUp, 100'000, limits, kStart) - kStart < milliseconds(1001),
                "a debt is of one full bucket at most");
}

}  // namespace
}  // namespace turnpike
