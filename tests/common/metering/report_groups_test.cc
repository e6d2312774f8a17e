#include "common/metering/report_groups.h"

#include <doctest/doctest.h>

#include "tests/common/metering/rate_tables.h"

namespace turnpike {
namespace {

using metering_test::At;

TEST_CASE("usage is added up by the keys that are asked for, in their order") {
  const std::vector<ReportKey> by = {ReportKey::kRegion, ReportKey::kAccount};
  ReportGroups groups(by, {});
  const BucketIndex bucket = BucketOf(At("2026-11-20"));
  groups.At(bucket, {"b", "us1", "udp", "web", "x"}).sessions += 1;
  groups.At(bucket, {"a", "us1", "udp", "web", "x"}).sessions += 2;
  groups.At(bucket, {"b", "us1", "tcp", "app", "y"}).sessions += 4;
  groups.At(bucket, {"b", "de1", "udp", "web", "x"}).sessions += 8;
  std::string text;
  for (const ReportRow& row : groups.Take()) {
    text += row.region + " " + row.account + " " + row.label + std::to_string(row.sessions) + "\n";
  }
  CHECK(text == "de1 b 8\nus1 a 2\nus1 b 5\n");
}

TEST_CASE("names of all bytes are told apart and sorted as bytes") {
  const std::vector<ReportKey> by = {ReportKey::kLabel};
  ReportGroups groups(by, {});
  const BucketIndex bucket = BucketOf(At("2026-11-20"));
  for (const std::string_view label : {"\xff", "", "a", "A"})
    groups.At(bucket, {{}, {}, {}, label, {}});
  groups.At(bucket, {{}, {}, {}, std::string_view("\0", 1), {}});
  std::vector<std::string> labels;
  for (const ReportRow& row : groups.Take()) labels.push_back(row.label);
  CHECK(labels == std::vector<std::string>{"", std::string(1, '\0'), "A", "a", "\xff"});
}

TEST_CASE("days and months are those of the zone, bucket by bucket") {
  const auto zone = TimeZone::Find("Asia/Kathmandu");  // UTC+05:45
  REQUIRE(zone);
  const std::vector<ReportKey> by = {ReportKey::kMonth, ReportKey::kDay};
  ReportGroups groups(by, *zone);
  groups.At(BucketOf(At("2026-10-31T18:00Z")), {}).sessions += 1;
  groups.At(BucketOf(At("2026-10-31T18:15Z")), {}).sessions += 2;
  groups.At(BucketOf(At("2026-10-31T18:00Z")), {}).sessions += 4;
  const auto rows = groups.Take();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].month + " " + rows[0].day == "2026-10 2026-10-31");
  CHECK(rows[0].sessions == 5);
  CHECK(rows[1].month + " " + rows[1].day == "2026-11 2026-11-01");
  CHECK(rows[1].sessions == 2);
}

}  // namespace
}  // namespace turnpike
