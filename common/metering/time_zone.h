// Civil time of a zone of the IANA database. The one file that knows the date library.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace date {
class time_zone;
}

namespace turnpike {

// TimeZone is a value; without one it is UTC, which needs no database.
class TimeZone {
 public:
  TimeZone() = default;

  // Find looks `name` up, such as `Europe/Berlin`. It reads the system's database (the package
  // tzdata) and fails with a sentence when that has no such zone.
  static std::expected<TimeZone, std::string> Find(const std::string& name);

  // LocalDay returns the civil day that `time` falls on.
  std::chrono::local_days LocalDay(WallTime time) const;

  // DayStart returns the first instant of `day`: when a clock change skips midnight, that change;
  // when midnight comes twice, the first.
  WallTime DayStart(std::chrono::local_days day) const;

 private:
  explicit TimeZone(const date::time_zone* zone) : zone_(zone) {}

  const date::time_zone* zone_ = nullptr;  // nullptr: UTC
};

}  // namespace turnpike
