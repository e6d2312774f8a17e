// Reports in civil time, and by edge.
#include <doctest/doctest.h>

#include "common/metering/report.h"
#include "tests/common/metering/metering_world.h"
#include "tests/common/metering/rate_tables.h"

namespace turnpike {
namespace {

using metering_test::At;
using metering_test::World;

// Days lists what each day of `zone` has.
std::string Days(const std::string& directory, const std::string& zone, const Period& period = {}) {
  const auto found = TimeZone::Find(zone);
  REQUIRE(found);
  const auto report = UsageReport({directory, period, {ReportKey::kDay}, *found});
  REQUIRE_MESSAGE(report, report.error());
  std::string text;
  for (const ReportRow& row : report->rows) {
    text += row.day + " " + std::to_string(row.totals.billable_bytes()) + " " +
            std::to_string(row.sessions) + "\n";
  }
  return text;
}

TEST_CASE("every byte falls on one day of each zone, also when clocks change") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  // A byte more in each quarter of an hour, around the end of summer time in Europe.
  world.now = At("2026-10-24T12:00Z");
  const SlotId slot = world.Begin("acme");
  for (int i = 0; i < 48 * 4; ++i) {
    world.Relay(slot, Direction::kClientToPeer, 1);
    world.now += kBucketWidth;
    if (i % 8 == 7) world.Checkpoint();
  }
  world.End(slot);
  world.Checkpoint();
  CHECK(Days(directory.path(), "UTC") == "2026-10-24 48 1\n2026-10-25 96 0\n2026-10-26 48 0\n");
  CHECK(Days(directory.path(), "Europe/Berlin") ==
        "2026-10-24 40 1\n2026-10-25 100 0\n2026-10-26 52 0\n");
  CHECK(Days(directory.path(), "Asia/Kathmandu") ==
        "2026-10-24 25 1\n2026-10-25 96 0\n2026-10-26 71 0\n");

  const auto berlin = TimeZone::Find("Europe/Berlin");
  const auto day = ParsePeriod("2026-10-25", "2026-10-26", *berlin);
  REQUIRE(day);
  CHECK(*day->from == At("2026-10-24T22:00Z"));
  CHECK(*day->to == At("2026-10-25T23:00Z"));
  CHECK(Days(directory.path(), "Europe/Berlin", *day) == "2026-10-25 100 0\n");
  CHECK(ParsePeriod("2026-10-25T00:00Z", "", *berlin)->from == At("2026-10-25"));
}

TEST_CASE("a day on which clocks change has all of its quarter hours, and no other's") {
  struct Row {
    const char *zone, *day, *next;
    int quarters;
  };
  for (const Row& row : std::vector<Row>{{"Europe/Berlin", "2026-03-29", "2026-03-30", 92},
                                         {"America/New_York", "2026-11-01", "2026-11-02", 100},
                                         {"Australia/Lord_Howe", "2026-10-04", "2026-10-05", 94}}) {
    CAPTURE(std::string(row.zone));
    const TempDirectory directory;
    World world(directory.path());
    world.Start();
    world.now = At(row.day) - std::chrono::hours(24);
    const SlotId slot = world.Begin("acme");
    for (int i = 0; i < 72 * 4; ++i) {
      world.Relay(slot, Direction::kClientToPeer, 1);
      world.now += kBucketWidth;
      if (i % 8 == 7) world.Checkpoint();
    }
    const auto day = ParsePeriod(row.day, row.next, *TimeZone::Find(row.zone));
    REQUIRE(day);
    CHECK(Days(directory.path(), row.zone, *day) ==
          std::string(row.day) + " " + std::to_string(row.quarters) + " 0\n");
    CHECK(Days(directory.path(), "UTC", {}).find(" 96 ") != std::string::npos);
  }
}

TEST_CASE("a report by edge reads parts, agrees with the buckets, and tells how far it is") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  const SlotId slot = world.Begin("acme");
  for (int i = 0; i < 10; ++i) {
    world.Relay(slot, Direction::kPeerToClient, 3);
    world.now += kBucketWidth;
  }
  world.Checkpoint();
  ReportQuery query{directory.path(), {}, {ReportKey::kEdge, ReportKey::kAccount}};
  std::vector<int> percents;
  query.progress = [&](int percent) { percents.push_back(percent); };
  const auto report = UsageReport(query);
  REQUIRE_MESSAGE(report, report.error());
  REQUIRE(report->rows.size() == 1);
  CHECK(report->rows[0].edge == "ashburn");
  CHECK(report->rows[0].sessions == 1);
  CHECK(report->rows[0].totals.billable_bytes() == 30);
  CHECK(percents == std::vector<int>{0, 10, 20, 30, 40, 50, 60, 70, 80, 90});
  const auto buckets = UsageReport({directory.path(), {}, {ReportKey::kAccount}});
  REQUIRE(buckets);
  CHECK(buckets->rows[0].totals == report->rows[0].totals);
}

}  // namespace
}  // namespace turnpike
