#include "common/metering/time_zone.h"

#include <date/tz.h>

#include <exception>

#include "common/base/log.h"

namespace turnpike {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::local_days;

std::expected<TimeZone, std::string> TimeZone::Find(const std::string& name) {
  if (name == "UTC") return TimeZone();
  try {
    return TimeZone(date::locate_zone(name));
  } catch (const std::exception&) {
    return std::unexpected("there is no time zone \"" + EscapeText(name) +
                           "\" in this system's database; write it like Europe/Berlin, or install "
                           "the package tzdata");
  }
}

local_days TimeZone::LocalDay(WallTime time) const {
  auto local = time.time_since_epoch();
  if (zone_ != nullptr) local += zone_->get_info(floor<std::chrono::seconds>(time)).offset;
  return local_days(floor<days>(local));
}

WallTime TimeZone::DayStart(local_days day) const {
  if (zone_ == nullptr) return WallTime(day.time_since_epoch());
  const date::local_days midnight(day.time_since_epoch());
  return zone_->to_sys(midnight, date::choose::earliest);
}

}  // namespace turnpike
