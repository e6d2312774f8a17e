#include "common/base/time.h"

#include <doctest/doctest.h>

namespace turnpike {
namespace {

using namespace std::chrono_literals;

WallTime Wall(int64_t micros) { return WallTime(std::chrono::microseconds(micros)); }

TEST_CASE("rfc 3339: whole seconds have no fraction, others six digits") {
  CHECK(FormatRfc3339(Wall(0)) == "1970-01-01T00:00:00Z");
  CHECK(FormatRfc3339(Wall(1'795'208'645'000'000)) == "2026-11-20T21:04:05Z");
  CHECK(FormatRfc3339(Wall(1'795'208'645'123'456)) == "2026-11-20T21:04:05.123456Z");
  CHECK(FormatRfc3339(Wall(1'000)) == "1970-01-01T00:00:00.001000Z");
}

TEST_CASE("rfc 3339: before 1970 the fraction still counts forward") {
  CHECK(FormatRfc3339(Wall(-1)) == "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("dates: a day is its first instant, a time is read to the second") {
  CHECK(FormatRfc3339(ParseDate("2026-11-20").value()) == "2026-11-20T00:00:00Z");
  CHECK(FormatRfc3339(ParseDate("2026-11-20T21:04Z").value()) == "2026-11-20T21:04:00Z");
  CHECK(FormatRfc3339(ParseDate("2026-11-20T21:04:05Z").value()) == "2026-11-20T21:04:05Z");
  CHECK(FormatRfc3339(ParseDate("2028-02-29").value()) == "2028-02-29T00:00:00Z");
  CHECK(ParseDate("1970-01-01").value() == Wall(0));
}

TEST_CASE("dates: what does not exist or is written otherwise is refused") {
  for (const char* text :
       {"", "2026", "2026-13-01", "2026-02-29", "2026-00-10", "2026-1-1", "20261120", "2026-11-20T",
        "2026-11-20T24:00Z", "2026-11-20T21:60Z", "2026-11-20T21:04:60Z", "2026-11-20T21:04",
        "2026-11-20T21:04:05", "2026-11-20T21:04:05+01:00", "2026-11-20 21:04Z", " 2026-11-20",
        "2026-11-20x", "2026-11-20T21:04:05Zx", "-026-11-20"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseDate(text));
  }
  CHECK(ParseDate("x").error().find("YYYY-MM-DD") != std::string::npos);
}

TEST_CASE("durations: every unit") {
  CHECK(ParseDuration("250ms").value() == 250ms);
  CHECK(ParseDuration("5s").value() == 5s);
  CHECK(ParseDuration("10m").value() == 10min);
  CHECK(ParseDuration("24h").value() == 24h);
  CHECK(ParseDuration("90d").value() == 90 * 24h);
  CHECK(ParseDuration("0s").value() == 0s);
}

TEST_CASE("durations: no unit, no number, a sign or a fraction is refused") {
  for (const char* text : {"", "5", "s", "-5s", "+5s", "5 s", "1.5s", "5S", "5sec", "5us", "5s "}) {
    CAPTURE(text);
    CHECK_FALSE(ParseDuration(text));
  }
}

TEST_CASE("durations: overflow is an error, the longest that fits is not") {
  CHECK(ParseDuration("106751d"));
  CHECK_FALSE(ParseDuration("106752d"));
  CHECK(ParseDuration("9223372036s"));
  CHECK_FALSE(ParseDuration("9223372037s"));
  CHECK_FALSE(ParseDuration("18446744073709551615s"));
  CHECK_FALSE(ParseDuration("18446744073709551616ms"));
  CHECK(ParseDuration("106752d").error().find("too long") != std::string::npos);
}

TEST_CASE("durations: printed in the largest unit up to hours") {
  CHECK(FormatDuration(0s) == "0s");
  CHECK(FormatDuration(250ms) == "250ms");
  CHECK(FormatDuration(1500ms) == "1500ms");
  CHECK(FormatDuration(5s) == "5s");
  CHECK(FormatDuration(90s) == "90s");
  CHECK(FormatDuration(600s) == "10m");
  CHECK(FormatDuration(24h) == "24h");
  CHECK(FormatDuration(1500us) == "1500us");
  CHECK(FormatDuration(7ns) == "7ns");
  CHECK(FormatDuration(-5s) == "-5s");
}

}  // namespace
}  // namespace turnpike
