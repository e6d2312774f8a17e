// What users, accounts, addresses and all together may hold and move, whichever worker serves them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/metering/usage.h"
#include "common/net/transport_address.h"
#include "server/turn/token_bucket.h"

namespace turnpike {

// Limit names a row of `limits` in the configuration, and of metrics.
enum class Limit : uint8_t {
  kAllocations,
  kAllocationsPerUsername,
  kAllocationsPerAccount,
  kAllocationsPerAddress,
  kSessionBandwidth,
  kSessionPackets,
  kAccountBandwidth,
};
inline constexpr int kLimitCount = 7;

// LimitName returns the key's last part: `allocations_per_account`.
std::string_view LimitName(Limit limit);

// LimitOptions are the limits in force; 0: none.
struct LimitOptions {
  uint32_t allocations = 0;               // of all clients; more get 508
  uint32_t allocations_per_username = 0;  // more get 486, as with the next two
  uint32_t allocations_per_account = 0;
  uint32_t allocations_per_address = 0;  // IPv6: of a /64
  // Application payload, in bytes a second and in each direction; what exceeds it is dropped.
  uint64_t session_bandwidth = 0;
  uint64_t account_bandwidth = 0;
  uint32_t session_packets = 0;  // datagrams a second, in each direction
};

// AccountQuota is what all workers share of one account that has allocations.
struct AccountQuota {
  std::string name;
  uint32_t allocations = 0;  // guarded by Quotas

  // By Direction. What workers lease from to let packets pass, and what they have measured in all.
  std::array<SharedBucket, kDirectionCount> bandwidth;
  std::array<std::atomic<uint64_t>, kDirectionCount> bytes_per_second{};
};

// QuotaHolder is who an allocation is counted for.
struct QuotaHolder {
  std::string_view username;
  std::string_view account;
  IpAddress client;
};

// Quotas counts the allocations of all workers. Any thread may call it; it is asked as an
// allocation begins and told as it ends.
class Quotas {
 public:
  // Take counts an allocation of `holder` unless a limit is reached, which it then returns.
  std::expected<std::shared_ptr<AccountQuota>, Limit> Take(const QuotaHolder& holder,
                                                           const LimitOptions& limits,
                                                           MonoTime now);

  // Return takes back what Take counted.
  void Return(const QuotaHolder& holder, MonoTime now);

  // Fullest is how much the one who has most has, and who that is.
  struct Fullest {
    uint64_t used = 0;
    std::string who;  // empty: nobody, or everybody together
  };

  // Read tells that of every limit but those of sessions, by Limit. It walks all holders: ask as
  // often as somebody looks, not more.
  std::array<Fullest, kLimitCount> Read() const;

 private:
  struct TextHash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  template <typename Value>
  using ByName = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

  void Forget(MonoTime now);

  mutable std::mutex mutex_;
  uint32_t total_ = 0;
  ByName<uint32_t> by_username_;
  ByName<std::shared_ptr<AccountQuota>> by_account_;
  // Accounts without allocations, by when their buckets are full: until then they are remembered,
  // or a new allocation would bring a full bucket along.
  std::multimap<MonoTime, std::string> leaving_;
  std::map<IpAddress, uint32_t> by_address_;  // strangers choose addresses: no hash to collide
};

}  // namespace turnpike
