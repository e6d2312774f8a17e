#include "common/metering/time_zone.h"

#include <doctest/doctest.h>

#include "tests/common/metering/rate_tables.h"

namespace turnpike {
namespace {

using metering_test::At;
using std::chrono::local_days;

TimeZone Zone(const std::string& name) {
  const auto zone = TimeZone::Find(name);
  REQUIRE_MESSAGE(zone, zone.error());
  return *zone;
}

local_days Day(std::string_view date) { return TimeZone().LocalDay(At(date)); }

TEST_CASE("UTC needs no database") {
  CHECK(Zone("UTC").LocalDay(At("2026-11-20T23:59:59Z")) == Day("2026-11-20"));
  CHECK(TimeZone().DayStart(Day("2026-11-20")) == At("2026-11-20"));
}

TEST_CASE("days begin at local midnight, also where clocks change") {
  struct Row {
    const char *zone, *day, *start;
  };
  for (const Row& row : {
           Row{"Europe/Berlin", "2026-03-29", "2026-03-28T23:00Z"},
           Row{"Europe/Berlin", "2026-03-30", "2026-03-29T22:00Z"},  // a day of 23 hours
           Row{"Europe/Berlin", "2026-10-25", "2026-10-24T22:00Z"},
           Row{"Europe/Berlin", "2026-10-26", "2026-10-25T23:00Z"},  // a day of 25 hours
           Row{"America/New_York", "2026-11-02", "2026-11-02T05:00Z"},
           Row{"Asia/Kathmandu", "2026-11-20", "2026-11-19T18:15Z"},
           Row{"Australia/Lord_Howe", "2026-10-05", "2026-10-04T13:00Z"},  // clocks move by 30 min
           Row{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00Z"},    // without a midnight
           Row{"America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00Z"},
       }) {
    CAPTURE(row.zone);
    CAPTURE(row.day);
    const TimeZone zone = Zone(row.zone);
    const WallTime start = zone.DayStart(Day(row.day));
    CHECK(FormatRfc3339(start) == FormatRfc3339(At(row.start)));
    CHECK(zone.LocalDay(start) == Day(row.day));
    CHECK(zone.LocalDay(start - std::chrono::microseconds(1)) ==
          Day(row.day) - std::chrono::days(1));
  }
}

TEST_CASE("an unknown zone is named") {
  for (const char* bad : {"", "Mars/Base", "../etc/passwd", "europe/berlin"}) {
    CAPTURE(bad);
    REQUIRE(!TimeZone::Find(bad));
    CHECK(TimeZone::Find(bad).error().find("there is no time zone \"") == 0);
  }
}

}  // namespace
}  // namespace turnpike
