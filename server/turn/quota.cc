#include "server/turn/quota.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/net/host_prefix.h"

namespace turnpike {
namespace {

bool IsReached(uint32_t count, uint32_t limit) { return limit != 0 && count >= limit; }

template <typename Map, typename Key>
uint32_t CountOf(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? 0 : found->second;
}

template <typename Map, typename Key>
void Decrement(Map& map, const Key& key) {
  const auto found = map.find(key);
  TP_CHECK(found != map.end());
  if (--found->second == 0) map.erase(found);
}

MonoTime FullAt(const AccountQuota& account) {
  return std::max(account.bandwidth[0].full_at(), account.bandwidth[1].full_at());
}

void Raise(Quotas::Fullest& fullest, uint64_t used, const std::string& who) {
  if (used > fullest.used) fullest = {.used = used, .who = who};
}

}  // namespace

std::string_view LimitName(Limit limit) {
  switch (limit) {
    case Limit::kAllocations:
      return "allocations";
    case Limit::kAllocationsPerUsername:
      return "allocations_per_username";
    case Limit::kAllocationsPerAccount:
      return "allocations_per_account";
    case Limit::kAllocationsPerAddress:
      return "allocations_per_address";
    case Limit::kSessionBandwidth:
      return "session_bandwidth";
    case Limit::kSessionPackets:
      return "session_packets";
    case Limit::kAccountBandwidth:
      return "account_bandwidth";
  }
  return "unknown";
}

std::expected<std::shared_ptr<AccountQuota>, Limit> Quotas::Take(const QuotaHolder& holder,
                                                                 const LimitOptions& limits,
                                                                 MonoTime now) {
  const IpAddress address = HostPrefix(holder.client);
  const std::lock_guard lock(mutex_);
  Forget(now);
  const auto found = by_account_.find(holder.account);
  const uint32_t of_account = found == by_account_.end() ? 0 : found->second->allocations;
  if (IsReached(CountOf(by_username_, holder.username), limits.allocations_per_username)) {
    return std::unexpected(Limit::kAllocationsPerUsername);
  }
  if (IsReached(of_account, limits.allocations_per_account)) {
    return std::unexpected(Limit::kAllocationsPerAccount);
  }
  if (IsReached(CountOf(by_address_, address), limits.allocations_per_address)) {
    return std::unexpected(Limit::kAllocationsPerAddress);
  }
  // Last: who is told 508 may try again, or elsewhere; a quota of one's own would stand there too.
  if (IsReached(total_, limits.allocations)) return std::unexpected(Limit::kAllocations);
  ++total_;
  ++by_username_.try_emplace(std::string(holder.username)).first->second;
  ++by_address_[address];
  std::shared_ptr<AccountQuota>& account =
      found != by_account_.end() ? found->second : by_account_[std::string(holder.account)];
  if (account == nullptr) {
    account = std::make_shared<AccountQuota>();
    account->name = holder.account;
  }
  ++account->allocations;
  return account;
}

void Quotas::Return(const QuotaHolder& holder, MonoTime now) {
  const std::lock_guard lock(mutex_);
  Forget(now);
  TP_CHECK(total_ > 0);
  --total_;
  Decrement(by_username_, holder.username);
  Decrement(by_address_, HostPrefix(holder.client));
  const auto account = by_account_.find(holder.account);
  TP_CHECK(account != by_account_.end());
  if (--account->second->allocations != 0) return;
  if (const MonoTime full_at = FullAt(*account->second); full_at > now) {
    leaving_.emplace(full_at, account->first);
  } else {
    by_account_.erase(account);
  }
}

void Quotas::Forget(MonoTime now) {
  while (!leaving_.empty() && leaving_.begin()->first <= now) {
    const auto account = by_account_.find(leaving_.begin()->second);
    if (account != by_account_.end() && account->second->allocations == 0 &&
        FullAt(*account->second) <= now) {
      by_account_.erase(account);
    }
    leaving_.erase(leaving_.begin());
  }
}

std::array<Quotas::Fullest, kLimitCount> Quotas::Read() const {
  std::array<Fullest, kLimitCount> all;
  const auto of = [&](Limit limit) -> Fullest& { return all[static_cast<size_t>(limit)]; };
  const std::lock_guard lock(mutex_);
  of(Limit::kAllocations).used = total_;
  for (const auto& [name, count] : by_username_) {
    Raise(of(Limit::kAllocationsPerUsername), count, name);
  }
  for (const auto& [address, count] : by_address_) {
    Raise(of(Limit::kAllocationsPerAddress), count, address.ToString());
  }
  for (const auto& [name, account] : by_account_) {
    Raise(of(Limit::kAllocationsPerAccount), account->allocations, name);
    for (const auto& rate : account->bytes_per_second) {
      Raise(of(Limit::kAccountBandwidth), rate.load(std::memory_order_relaxed), name);
    }
  }
  return all;
}

}  // namespace turnpike
