#include "common/metering/output.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "common/base/log.h"
#include "tests/common/metering/output_cases.h"

namespace turnpike {
namespace {

using metering_test::kNoon;
using metering_test::ParseCsv;
using metering_test::SmallReport;
using metering_test::World;
using metering_test::Written;
using metering_test::WrittenSessions;
using std::chrono::seconds;

TEST_CASE("keys come in the order in which they were asked for") {
  Report report = SmallReport();
  report.by = {ReportKey::kMonth, ReportKey::kRegion};
  report.rows[0].month = "2026-11";
  CHECK(Written(report, ReportFormat::kCsv).find("month,region,sessions,") == 0);
  CHECK(Written(report, ReportFormat::kCsv).find("\r\n2026-11,us1,2,") != std::string::npos);
}

TEST_CASE("an empty report says so") {
  Report report = SmallReport();
  report.rows.clear();
  report.scope.complete = false;
  CHECK(Written(report, ReportFormat::kTable) ==
        "no usage in this period\n"
        "period: the beginning to 2026-11-20T12:00:00Z\n"
        "as of: 2026-11-20T12:00:00Z, not complete: usage may still be added\n");
  CHECK(ParseCsv(Written(report, ReportFormat::kCsv)).size() == 1);
  CHECK(
      nlohmann::json::parse(Written(report, ReportFormat::kJson)) ==
      nlohmann::json::parse(R"({"as_of": "2026-11-20T12:00:00Z", "complete": false, "rows": []})"));
}

TEST_CASE("counts beyond 32 and 53 bits stay exact in every format") {
  Report report = SmallReport();
  report.rows[0].totals.payload_bytes = {uint64_t{1} << 53, 1};
  for (const auto format : {ReportFormat::kTable, ReportFormat::kCsv, ReportFormat::kJson}) {
    CHECK(Written(report, format).find("9007199254740993") != std::string::npos);
  }
}

// Every name from outside goes through every writer.
void CheckName(const std::string& name) {
  CAPTURE(EscapeText(name));
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  SessionInfo info = metering_test::MakeInfo(1, name.substr(0, kMaxAccountBytes), kNoon);
  info.username = name;
  info.label = name.substr(0, kMaxLabelBytes);
  auto meter = world.slots->Acquire(info);
  REQUIRE(meter);
  meter->Add(Direction::kClientToPeer, 1, 5, BucketOf(kNoon));
  world.Checkpoint();
  const SessionQuery query{directory.path(), {}, {}, {}};

  const auto json = nlohmann::json::parse(WrittenSessions(query, ReportFormat::kJson));
  REQUIRE(json["rows"].size() == 1);
  CHECK(json["rows"][0]["username"] == PlainText(name));
  CHECK(json["rows"][0].size() == kSessionColumns.size());

  const auto csv = ParseCsv(WrittenSessions(query, ReportFormat::kCsv));
  REQUIRE(csv.size() == 2);
  REQUIRE(csv[1].size() == csv[0].size());
  const auto at = std::ranges::find(csv[0], "username") - csv[0].begin();
  const std::string cell = csv[1][static_cast<size_t>(at)];
  CHECK((cell == PlainText(name) || cell == "'" + PlainText(name)));
  if (!cell.empty()) CHECK(std::string("=+-@\t\r").find(cell[0]) == std::string::npos);

  const std::string table = WrittenSessions(query, ReportFormat::kTable);
  CHECK(std::ranges::count(table, '\n') == 5);
  for (const char c : table) CHECK((c == '\n' || static_cast<uint8_t>(c) >= 0x20));
}

TEST_CASE("a username of any bytes passes every writer") {
  std::string all;
  for (size_t i = 0; i < kMaxUsernameBytes; ++i) all += static_cast<char>(i);
  using namespace std::string_literals;
  for (const std::string& name :
       {all, "plain"s, ""s, "=cmd|' /C calc'!A0"s, "+1"s, "-1"s, "@x"s, "\ttab"s, "\rcr"s,
        "a,b\"c\r\nd"s, "\xFF\xFE"s, "zero\0zero"s, "Zo\xC3\xAB \xE2\x9C\x93"s,
        std::string(kMaxUsernameBytes, '"')}) {
    CheckName(name);
  }
}

TEST_CASE("text that is UTF-8 stays, other bytes are escaped") {
  CHECK(PlainText("Zo\xC3\xAB\n") == "Zo\xC3\xAB\n");
  CHECK(PlainText("a\xFF") == "a\\xFF");
  CHECK(PlainText(std::string("a\0b", 3)) == "a\\x00b");
  CHECK(PlainText("back\\slash") == "back\\slash");
  CHECK(PlainText("a\\xFF") == "a\\x5CxFF");  // not the name "a\xFF" of above
}

TEST_CASE("sessions: what has not ended is null, drops are named") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  const SlotId slot = world.Begin("acme");
  world.sessions.at(slot).first.AddDrop(DropReason::kNoPermission);
  world.sessions.at(slot).first.AddDrop(DropReason::kQueueFull);
  world.Checkpoint();
  const SessionQuery query{directory.path(), {}, {}, {}};
  auto row = nlohmann::json::parse(WrittenSessions(query, ReportFormat::kJson))["rows"][0];
  CHECK(row["ended_at"].is_null());
  CHECK(row["close_reason"].is_null());
  CHECK(row["started_at"] == "2026-11-20T12:00:00Z");
  CHECK(row["dropped_packets"] == nlohmann::json({{"no_permission", 1}, {"queue_full", 1}}));
  CHECK(WrittenSessions(query, ReportFormat::kCsv).find(",no_permission=1 queue_full=1,") !=
        std::string::npos);
  world.now += seconds(2);
  world.End(slot, CloseReason::kKilled);
  world.Checkpoint();
  row = nlohmann::json::parse(WrittenSessions(query, ReportFormat::kJson))["rows"][0];
  CHECK(row["ended_at"] == "2026-11-20T12:00:02Z");
  CHECK(row["close_reason"] == "killed");
}

TEST_CASE("a stream that fails ends the reading") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  world.Begin("acme");
  world.Checkpoint();
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  CHECK(WriteSessions({directory.path(), {}, {}, {}}, ReportFormat::kJson, out));
  CHECK(out.str().empty());
}

TEST_CASE("THE table: names are unique and in snake case, every key has its column") {
  std::set<std::string_view> names;
  for (const auto& column : kReportColumns) {
    names.insert(column.name);
    CHECK(!column.meaning.empty());
    CHECK(column.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos);
    if (column.key) CHECK(ReportKeyName(*column.key) == column.name);
  }
  CHECK(names.size() == kReportColumns.size());
  for (int i = 0; i < kReportKeyCount; ++i) {
    CHECK(names.contains(ReportKeyName(static_cast<ReportKey>(i))));
  }
  names.clear();
  for (const auto& column : kSessionColumns) names.insert(column.name);
  CHECK(names.size() == kSessionColumns.size());
}

TEST_CASE("formats by name") {
  CHECK(ParseReportFormat("csv") == ReportFormat::kCsv);
  CHECK(ParseReportFormat("xml").error() ==
        "unknown format \"xml\": known are table, csv, json and jsonl");
}

}  // namespace
}  // namespace turnpike
