#include "server/api/usage_range.h"

#include <algorithm>
#include <charconv>

#include "common/base/time.h"

namespace turnpike {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

sys_days MonthStart(sys_days day) {
  const year_month_day date(day);
  return date.year() / date.month() / std::chrono::day(1);
}

std::optional<sys_days> ReadOffset(std::string_view text, sys_days today) {
  const bool is_back = text.starts_with('-');
  if (!is_back && !text.starts_with('+')) return std::nullopt;
  text.remove_prefix(1);
  if (text.ends_with("days")) {
    text.remove_suffix(4);
  } else if (text.ends_with("day")) {
    text.remove_suffix(3);
  } else {
    return std::nullopt;
  }
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count < 0 || count > 36'500) {
    return std::nullopt;
  }
  return today + days(is_back ? -count : count);
}

std::expected<std::optional<sys_days>, std::string> ReadBound(const Form& query, const char* name,
                                                              sys_days today) {
  const auto given = query.find(name);
  if (given == query.end() || given->second.empty()) return std::nullopt;
  const auto date = ReadUsageDate(given->second, today);
  if (!date) return std::unexpected(std::string(name) + " " + date.error());
  return *date;
}

// Fixed returns the range of the sub-resources that have one.
std::optional<UsageRange> Fixed(std::string_view name, sys_days today) {
  if (name == "Today") return UsageRange{Interval::kAll, today, today};
  if (name == "Yesterday") return UsageRange{Interval::kAll, today - days(1), today - days(1)};
  if (name == "ThisMonth") return UsageRange{Interval::kAll, MonthStart(today), today};
  if (name == "LastMonth") {
    const sys_days last = MonthStart(today) - days(1);
    return UsageRange{Interval::kAll, MonthStart(last), last};
  }
  if (name == "AllTime") return UsageRange{Interval::kAll, std::nullopt, today};
  return std::nullopt;
}

std::optional<Interval> IntervalOf(std::string_view name) {
  if (name.empty()) return Interval::kAll;
  if (name == "Daily") return Interval::kDay;
  if (name == "Monthly") return Interval::kMonth;
  if (name == "Yearly") return Interval::kYear;
  return std::nullopt;
}

}  // namespace

std::expected<sys_days, std::string> ReadUsageDate(std::string_view text, sys_days today) {
  if (const auto offset = ReadOffset(text, today)) return *offset;
  const auto date = text.size() == 10 ? ParseDate(text) : std::unexpected(std::string());
  if (!date) return std::unexpected("is not a date; write 2026-11-27, or an offset like -30days");
  return std::chrono::floor<days>(*date);
}

std::expected<std::optional<UsageRange>, std::string> ReadUsageRange(std::string_view name,
                                                                     const Form& query,
                                                                     sys_days today) {
  const auto first = ReadBound(query, "StartDate", today);
  if (!first) return std::unexpected(first.error());
  const auto last = ReadBound(query, "EndDate", today);
  if (!last) return std::unexpected(last.error());
  if (*first && *last && **first > **last) {
    return std::unexpected("StartDate is later than EndDate");
  }
  if (auto fixed = Fixed(name, today)) return fixed;
  const auto interval = IntervalOf(name);
  if (!interval) return std::nullopt;
  return UsageRange{*interval, *first, std::min(last->value_or(today), today)};
}

sys_days IntervalEnd(Interval interval, sys_days day) {
  const year_month_day date(day);
  switch (interval) {
    case Interval::kDay:
      return day;
    case Interval::kMonth:
      return date.year() / date.month() / std::chrono::last;
    case Interval::kYear:
      return date.year() / std::chrono::December / 31;
    case Interval::kAll:
      break;
  }
  return sys_days::max();
}

}  // namespace turnpike
