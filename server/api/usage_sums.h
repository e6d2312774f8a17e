// Usage by day and region, and what it costs: what usage records and triggers add up.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "common/metering/money.h"
#include "common/metering/rate_card.h"
#include "common/metering/usage_row.h"

namespace turnpike {

// UsageSum is what something was relayed for: the bytes that the rate card prices, or, without one
// in force, all payload; and their price, less what is only an invoice's (minimum, rounding).
struct UsageSum {
  uint64_t bytes = 0;
  Amount amount{};
  bool is_priced = true;

  void Add(const UsageSum& more);
};

// DailyUsage has one sum for each day (UTC) and region with usage.
using DailyUsage = std::map<std::pair<std::chrono::sys_days, std::string>, UsageSum>;

// SumByDay prices `rows`, which must be all of `account` in every month that they touch: tiers and
// allowances count from a month's start. `rates` may be null. A month for which there is no card
// has no price.
DailyUsage SumByDay(const std::vector<UsageRow>& rows, const std::string& account,
                    const RateTable* rates);

// AccountDays is one reading of the ledger.
struct AccountDays {
  DailyUsage days;
  WallTime as_of{};
};

// ReadDays reads and prices all usage of `account` from the month of `first` on (nullopt: from the
// beginning) through the day `last`. Fails with a sentence that names the file.
std::expected<AccountDays, std::string> ReadDays(const std::string& ledger,
                                                 const std::string& account,
                                                 std::optional<std::chrono::sys_days> first,
                                                 std::chrono::sys_days last,
                                                 const RateTable* rates);

// SumOf adds up the days from `first` through `last`, of one region, or of all where it is empty.
UsageSum SumOf(const DailyUsage& days, std::chrono::sys_days first, std::chrono::sys_days last,
               std::string_view region);

// FormatMegabytes renders bytes as MB (10^6), exactly.
std::string FormatMegabytes(uint64_t bytes);

}  // namespace turnpike
