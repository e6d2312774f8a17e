// Caps: how much an account, or one label of it, may relay in a day or a month, in bytes or money.
//
// A cap is looked at after each checkpoint and where an allocation begins, never per packet: what a
// session relays between two checkpoints can go beyond it, and is counted and billed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/metering/money.h"

namespace turnpike {

// CapPeriod is what a cap is for: days and months begin at 00:00 UTC.
enum class CapPeriod : uint8_t { kDay, kMonth };

// CapAction says what happens at 100 %, beside the log line that every percentage of `warn_at`
// gets.
enum class CapAction : uint8_t {
  kWarn,    // nothing more
  kRefuse,  // new allocations get 486 (Allocation Quota Reached)
  kEnd,     // besides, sessions that live end, with the reason `quota`
};

// CapPeriodName and CapActionName return the words of the configuration.
std::string_view CapPeriodName(CapPeriod period);
std::string_view CapActionName(CapAction action);

// kEveryAccount as an account means each account by itself.
inline constexpr std::string_view kEveryAccount = "*";

// Cap is one rule. It counts billable bytes (usage.h), or money as the rate cards say, the
// account's free allowance and tiers included, minimum and rounding apart.
struct Cap {
  std::string account;
  std::optional<std::string> label;  // nullopt: all labels of the account together
  CapPeriod period = CapPeriod::kMonth;
  std::optional<uint64_t> bytes;  // one of both is set
  std::optional<Amount> money;
  std::vector<uint32_t> warn_at = {80, 95, 100};  // percent
  CapAction action = CapAction::kWarn;

  friend bool operator==(const Cap&, const Cap&) = default;
};

}  // namespace turnpike
