// Time as values. Nothing here reads a clock: `server/io/driver.cc` reads both clocks once per loop
// turn and hands them down as one `Now`.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace turnpike {

using Duration = std::chrono::nanoseconds;

// MonoClock names the monotonic time line. It has no `now()` on purpose.
struct MonoClock {
  using rep = int64_t;
  using period = std::nano;
  using duration = Duration;
  using time_point = std::chrono::time_point<MonoClock>;
  static constexpr bool is_steady = true;
};

// MonoTime orders events and carries every deadline; it never steps and means nothing outside the
// process.
using MonoTime = MonoClock::time_point;

// WallTime is civil time, UTC, in microseconds since 1970. It may step in either direction; records
// and credential expiry use it, deadlines do not.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

// Now is one reading of both clocks.
struct Now {
  MonoTime mono;
  WallTime wall;
};

// FormatRfc3339 renders `time` in UTC with microseconds cut to what is given:
// `2026-11-20T21:04:05Z`, or `…05.123456Z` when the fraction is not zero.
std::string FormatRfc3339(WallTime time);

// ParseDate reads `YYYY-MM-DD` as that day's first instant in UTC, or `YYYY-MM-DDTHH:MM[:SS]Z`. It
// fails with a sentence that says what was expected.
std::expected<WallTime, std::string> ParseDate(std::string_view text);

// ParseDuration reads a whole number with a unit: `250ms`, `5s`, `10m`, `24h`, `90d`. It fails with
// a sentence that says what was expected, on overflow too.
std::expected<Duration, std::string> ParseDuration(std::string_view text);

// FormatDuration renders `duration` in the largest unit up to hours that divides it: `5s`, `24h`,
// `250ms`. ParseDuration reads it back, unless it is finer than a millisecond (`us`, `ns`).
std::string FormatDuration(Duration duration);

}  // namespace turnpike
