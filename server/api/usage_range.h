// Dates in requests for usage.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "server/http/form.h"

namespace turnpike {

// Interval says what one usage record covers: all of the range, or a day, month or year of it.
enum class Interval : uint8_t { kAll, kDay, kMonth, kYear };

// UsageRange is what a request asks for. Both days are in it; without `first` it reaches back as
// far as the ledger does.
struct UsageRange {
  Interval interval = Interval::kAll;
  std::optional<std::chrono::sys_days> first;
  std::chrono::sys_days last;

  friend bool operator==(const UsageRange&, const UsageRange&) = default;
};

// ReadUsageDate reads `2026-11-27`, or an offset from `today` such as `-30days`. It fails with a
// predicate.
std::expected<std::chrono::sys_days, std::string> ReadUsageDate(std::string_view text,
                                                                std::chrono::sys_days today);

// ReadUsageRange reads StartDate and EndDate for the sub-resource `name` (`Daily`, `Today`, …;
// empty: none). It ends today at the latest. nullopt: there is no such sub-resource. It fails with
// a sentence.
std::expected<std::optional<UsageRange>, std::string> ReadUsageRange(std::string_view name,
                                                                     const Form& query,
                                                                     std::chrono::sys_days today);

// IntervalEnd returns the last day of the interval that holds `day`.
std::chrono::sys_days IntervalEnd(Interval interval, std::chrono::sys_days day);

}  // namespace turnpike
