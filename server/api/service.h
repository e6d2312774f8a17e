// What the API answers from.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <string>
#include <vector>

#include "common/accounts/account.h"
#include "common/accounts/trigger_store.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/metering/rate_card.h"
#include "common/net/edge.h"
#include "common/net/ip_set.h"
#include "server/api/account_directory.h"
#include "server/api/nettest_limit.h"
#include "server/api/rate_limit.h"

namespace turnpike {

// kReadingPatience is how long a request waits to read the ledger before it is told to come again.
inline constexpr std::chrono::seconds kReadingPatience{2};

// A few requests may read the ledger at a time: more would only compete for its pages.
inline constexpr ptrdiff_t kReaders = 2;
using ReadingLimit = std::counting_semaphore<kReaders>;

// ReadingTurn is one of those, given back when it ends.
struct EndReadingTurn {
  void operator()(ReadingLimit* limit) const { limit->release(); }
};
using ReadingTurn = std::unique_ptr<ReadingLimit, EndReadingTurn>;

// ApiSettings is what the configuration says of the API, as values. A reload makes new ones.
struct ApiSettings {
  std::vector<Edge> edges = {};  // one at least
  EdgeChoice edge_choice = EdgeChoice::kNearest;
  std::string secret = {};  // that credentials are minted with; empty: none are
  std::vector<ApiAccount> accounts = {};
  IpSet webhook_networks = {};           // that triggers may call, beside public addresses
  std::string webhook_authorities = {};  // PEM file; who may certify https webhooks
  IpSet trusted_proxies = {};            // whose X-Forwarded-For is believed
  uint32_t requests_per_second = 0;      // of an account; 0: no limit
  uint32_t requests_per_second_per_address = 0;
  std::optional<RateTable> rates = {};  // nullopt: usage has no price
  NettestSettings nettest = {};
};

// ApiHost is what the API is given to work with.
struct ApiHost {
  std::function<Now()> clock;              // any thread
  std::string ledger;                      // the directory of the ledger
  std::unique_ptr<AccountDb> accounts;     // null: only accounts of the configuration
  std::unique_ptr<TriggerStore> triggers;  // null: there are no triggers
  std::unique_ptr<RandomSource> random;
};

// ApiService is the state that all requests share. Every method may be called from any thread.
class ApiService {
 public:
  ApiService(ApiHost host, ApiSettings settings);

  // settings returns those in force; they do not change while somebody holds them.
  std::shared_ptr<const ApiSettings> settings() const;
  void SetSettings(ApiSettings settings);

  Now now() const { return host_.clock(); }
  const std::string& ledger() const { return host_.ledger; }
  TriggerStore* triggers() { return host_.triggers.get(); }
  std::shared_ptr<const std::vector<ApiAccount>> Accounts() { return accounts_.All(now().mono); }
  std::string NewSidOf(std::string_view prefix);

  RateLimiter& by_address() { return by_address_; }
  RateLimiter& by_account() { return by_account_; }

  // TakeReadingTurn waits until the caller may read the ledger, which it may until the turn's end.
  // Null: too many others were reading for kReadingPatience.
  ReadingTurn TakeReadingTurn() {
    return ReadingTurn(reading_.try_acquire_for(kReadingPatience) ? &reading_ : nullptr);
  }

  // nettest_limit counts the credentials of the network test.
  NettestLimit& nettest_limit() { return nettest_limit_; }

 private:
  ApiHost host_;
  AccountDirectory accounts_;
  RateLimiter by_address_;
  RateLimiter by_account_;
  ReadingLimit reading_{kReaders};
  std::mutex random_mutex_;
  mutable std::mutex mutex_;
  std::shared_ptr<const ApiSettings> settings_;
  NettestLimit nettest_limit_;
};

}  // namespace turnpike
