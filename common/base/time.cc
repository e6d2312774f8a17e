#include "common/base/time.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

namespace turnpike {
namespace {

using std::chrono::duration_cast;
using std::chrono::floor;

struct Unit {
  std::string_view name;
  int64_t nanoseconds;
};

// The largest unit first. `d` can be read but is never printed: operators write lifetimes as `24h`.
constexpr std::array<Unit, 5> kReadUnits = {{{"d", 86'400'000'000'000},
                                             {"h", 3'600'000'000'000},
                                             {"m", 60'000'000'000},
                                             {"s", 1'000'000'000},
                                             {"ms", 1'000'000}}};
constexpr std::array<Unit, 6> kPrintedUnits = {{{"h", 3'600'000'000'000},
                                                {"m", 60'000'000'000},
                                                {"s", 1'000'000'000},
                                                {"ms", 1'000'000},
                                                {"us", 1'000},
                                                {"ns", 1}}};

// ReadDigits takes exactly `count` decimal digits off the front of `text`.
std::optional<unsigned> ReadDigits(std::string_view& text, size_t count) {
  if (text.size() < count) return std::nullopt;
  unsigned value = 0;
  for (const char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool ReadChar(std::string_view& text, char expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::chrono::sys_days> ReadDay(std::string_view& text) {
  const auto year = ReadDigits(text, 4);
  if (!year || !ReadChar(text, '-')) return std::nullopt;
  const auto month = ReadDigits(text, 2);
  if (!month || !ReadChar(text, '-')) return std::nullopt;
  const auto day = ReadDigits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(*month), std::chrono::day(*day));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

// ReadTimeOfDay reads `HH:MM[:SS]`. A leap second (:60) is refused: the ledger has none.
std::optional<std::chrono::seconds> ReadTimeOfDay(std::string_view& text) {
  const auto hours = ReadDigits(text, 2);
  if (!hours || *hours > 23 || !ReadChar(text, ':')) return std::nullopt;
  const auto minutes = ReadDigits(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  unsigned seconds = 0;
  if (ReadChar(text, ':')) {
    const auto read = ReadDigits(text, 2);
    if (!read || *read > 59) return std::nullopt;
    seconds = *read;
  }
  return std::chrono::seconds(*hours * 3600 + *minutes * 60 + seconds);
}

std::optional<WallTime> ReadDate(std::string_view text) {
  const auto day = ReadDay(text);
  if (!day) return std::nullopt;
  if (text.empty()) return *day;
  if (!ReadChar(text, 'T')) return std::nullopt;
  const auto time_of_day = ReadTimeOfDay(text);
  if (!time_of_day || text != "Z") return std::nullopt;
  return *day + *time_of_day;
}

}  // namespace

std::string FormatRfc3339(WallTime time) {
  const auto days = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss of_day(time - days);
  std::string text =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  of_day.hours().count(), of_day.minutes().count(), of_day.seconds().count());
  const int64_t micros = of_day.subseconds().count();
  if (micros != 0) text += fmt::format(".{:06}", micros);
  return text + "Z";
}

std::expected<WallTime, std::string> ParseDate(std::string_view text) {
  if (const auto time = ReadDate(text)) return *time;
  return std::unexpected(
      "expected a date, YYYY-MM-DD, or a UTC time, YYYY-MM-DDTHH:MM[:SS]Z, that exists");
}

std::expected<Duration, std::string> ParseDuration(std::string_view text) {
  uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit_name = text.substr(static_cast<size_t>(end - text.data()));
  for (const Unit& unit : kReadUnits) {
    if (unit_name != unit.name || end == text.data()) continue;
    const auto limit = static_cast<uint64_t>(Duration::max().count() / unit.nanoseconds);
    if (error == std::errc::result_out_of_range || count > limit) {
      return std::unexpected("the duration is too long: at most 106751d");
    }
    return Duration(static_cast<int64_t>(count) * unit.nanoseconds);
  }
  return std::unexpected("expected a whole number with a unit (ms, s, m, h, d), for example 5s");
}

std::string FormatDuration(Duration duration) {
  const int64_t count = duration.count();
  if (count == 0) return "0s";
  for (const Unit& unit : kPrintedUnits) {
    if (count % unit.nanoseconds == 0) {
      return fmt::format("{}{}", count / unit.nanoseconds, unit.name);
    }
  }
  return {};  // not reached: every count is a multiple of one nanosecond
}

}  // namespace turnpike
