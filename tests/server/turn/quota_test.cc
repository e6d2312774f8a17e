#include "server/turn/quota.h"

#include <doctest/doctest.h>

#include "tests/support/core_world.h"

namespace turnpike {
namespace {

constexpr MonoTime kStart{std::chrono::hours(100)};

QuotaHolder Holder(std::string_view username, std::string_view account, std::string_view client) {
  return {.username = username, .account = account, .client = Ip(client)};
}

// Refusal takes one allocation and returns the limit that is in the way.
std::optional<Limit> Refusal(Quotas& quotas, const LimitOptions& limits, QuotaHolder holder) {
  const auto taken = quotas.Take(holder, limits, kStart);
  return taken ? std::nullopt : std::optional(taken.error());
}

Quotas::Fullest Read(const Quotas& quotas, Limit limit) {
  return quotas.Read()[static_cast<size_t>(limit)];
}

TEST_CASE("allocations are counted per username, account, address and in all") {
  const LimitOptions limits = {.allocations = 4,
                               .allocations_per_username = 2,
                               .allocations_per_account = 3,
                               .allocations_per_address = 3};
  Quotas quotas;
  const auto alice = Holder("alice", "acme", "7.7.7.7");
  CHECK(!Refusal(quotas, limits, alice));
  CHECK(!Refusal(quotas, limits, alice));
  CHECK(Refusal(quotas, limits, alice) == Limit::kAllocationsPerUsername);
  CHECK(!Refusal(quotas, limits, Holder("amber", "acme", "7.7.7.8")));
  CHECK(Refusal(quotas, limits, Holder("anna", "acme", "7.7.7.9")) ==
        Limit::kAllocationsPerAccount);
  CHECK(!Refusal(quotas, limits, Holder("bob", "globex", "7.7.7.7")));
  CHECK(Refusal(quotas, limits, Holder("ben", "globex", "7.7.7.7")) ==
        Limit::kAllocationsPerAddress);
  CHECK(Refusal(quotas, limits, Holder("carl", "initech", "7.7.7.1")) == Limit::kAllocations);
  CHECK(Read(quotas, Limit::kAllocations).used == 4);
  CHECK(Read(quotas, Limit::kAllocationsPerUsername).who == "alice");
  CHECK(Read(quotas, Limit::kAllocationsPerAccount).who == "acme");
  CHECK(Read(quotas, Limit::kAllocationsPerAddress).who == "7.7.7.7");
  CHECK(Read(quotas, Limit::kAllocationsPerAddress).used == 3);

  quotas.Return(alice, kStart);
  CHECK_MESSAGE(!Refusal(quotas, limits, alice), "the refused ones were not counted");
  CHECK_MESSAGE(!Refusal(quotas, {}, alice), "0 is no limit, and counts");
  CHECK(Read(quotas, Limit::kAllocationsPerUsername).used == 3);
}

TEST_CASE("an IPv6 address counts with its /64") {
  const LimitOptions limits = {.allocations_per_address = 1};
  Quotas quotas;
  CHECK(!Refusal(quotas, limits, Holder("a", "a", "2001:db8:1:2::1")));
  CHECK(Refusal(quotas, limits, Holder("b", "b", "2001:db8:1:2:ffff::9")) ==
        Limit::kAllocationsPerAddress);
  CHECK(!Refusal(quotas, limits, Holder("b", "b", "2001:db8:1:3::1")));
  CHECK(Read(quotas, Limit::kAllocationsPerAddress).who == "2001:db8:1:2::");
}

TEST_CASE("an account that comes back at once finds its bucket as empty as it was") {
  const RateLimit limit(1000, 1);
  const auto holder = Holder("alice", "acme", "7.7.7.7");
  Quotas quotas;
  auto quota = *quotas.Take(holder, {}, kStart);
  CHECK(quota->bandwidth[0].Take(1000, limit, kStart));
  quotas.Return(holder, kStart);
  CHECK(Read(quotas, Limit::kAllocationsPerAccount).used == 0);
  const MonoTime soon = kStart + std::chrono::milliseconds(500);
  CHECK(*quotas.Take(holder, {}, soon) == quota);
  CHECK(!quota->bandwidth[0].Take(501, limit, soon));
  CHECK(quota->bandwidth[0].Take(400, limit, soon));
  quotas.Return(holder, soon);  // full at 1.4 s, not at 1.0 s
  CHECK(*quotas.Take(holder, {}, kStart + std::chrono::milliseconds(1300)) == quota);
  quotas.Return(holder, kStart + std::chrono::milliseconds(1300));
  CHECK(*quotas.Take(holder, {}, kStart + std::chrono::milliseconds(1400)) != quota);
}

}  // namespace
}  // namespace turnpike
