#include "common/metering/report.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "tests/common/metering/metering_world.h"

namespace turnpike {
namespace {

using metering_test::kNoon;
using metering_test::World;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Direction kUp = Direction::kClientToPeer;
constexpr Direction kDown = Direction::kPeerToClient;
constexpr WallTime kDay = std::chrono::floor<days>(kNoon);

Report GetReport(const std::string& directory, Period period = {},
                 std::vector<ReportKey> by = {ReportKey::kAccount, ReportKey::kRegion}) {
  auto report = UsageReport({directory, period, std::move(by)});
  REQUIRE_MESSAGE(report, report.error());
  return *report;
}

std::vector<SessionRow> GetSessions(const SessionQuery& query, ReportScope* scope = nullptr) {
  std::vector<SessionRow> rows;
  SessionVisitor visitor;
  visitor.begin = [&](const ReportScope& s) {
    if (scope != nullptr) *scope = s;
    return true;
  };
  visitor.row = [&](const SessionRow& row) {
    rows.push_back(row);
    return true;
  };
  const auto ok = SessionsReport(query, visitor);
  REQUIRE_MESSAGE(ok, ok.error());
  return rows;
}

// TwoDays is a ledger with a session that spans midnight and one on each side.
struct TwoDays {
  TempDirectory directory;
  World world{directory.path()};

  TwoDays() {
    world.now = kDay + hours(23);
    world.Start();
    const SlotId early = world.Begin("acme");
    world.Relay(early, kUp, 100);
    world.sessions.at(early).first.AddDrop(DropReason::kNoPermission);
    world.End(early);
    const SlotId across = world.Begin("acme");
    world.Relay(across, kDown, 1000);
    world.now = kDay + hours(25);
    world.Relay(across, kDown, 500);
    const SlotId late = world.Begin("umbrella");
    world.Relay(late, kUp, 7);
    world.Checkpoint();
  }
};

TEST_CASE("usage is summed by account and region, beside the writer") {
  TwoDays days;
  const Report report = GetReport(days.directory.path());
  CHECK(report.scope.as_of == days.world.now);
  CHECK(!report.scope.complete);
  REQUIRE(report.rows.size() == 2);
  CHECK(report.rows[0].account == "acme");
  CHECK(report.rows[0].region == "us1");
  CHECK(report.rows[0].sessions == 2);
  CHECK(report.rows[0].totals.payload_bytes == std::array<uint64_t, 2>{100, 1500});
  CHECK(report.rows[0].totals.packets == std::array<uint64_t, 2>{1, 2});
  CHECK(report.rows[0].totals.wire_bytes == std::array<uint64_t, 2>{104, 1508});
  CHECK(report.rows[1].account == "umbrella");
  CHECK(report.rows[1].totals.billable_bytes() == 7);
  // The writer goes on unhindered.
  days.world.Relay(days.world.Begin("acme"), kUp, 1);
  days.world.Checkpoint();
  CHECK(GetReport(days.directory.path()).rows[0].totals.billable_bytes() == 1601);
}

TEST_CASE("a period takes what was relayed in it, to the bucket") {
  TwoDays days;
  const WallTime midnight = kDay + hours(24);
  const Report first = GetReport(days.directory.path(), {kDay, midnight});
  REQUIRE(first.rows.size() == 1);
  CHECK(first.rows[0].totals.billable_bytes() == 1100);
  CHECK(first.rows[0].sessions == 2);
  CHECK(first.scope.complete);
  const Report second = GetReport(days.directory.path(), {midnight, std::nullopt});
  REQUIRE(second.rows.size() == 2);
  CHECK(second.rows[0].totals.billable_bytes() == 500);
  CHECK(second.rows[0].sessions == 0);  // it started before: counted there
  CHECK(!second.scope.complete);
  const Report between = GetReport(days.directory.path(), {midnight, midnight + minutes(15)});
  CHECK(between.rows.empty());
}

TEST_CASE("days and months add up to the whole, sessions too") {
  TwoDays days;
  const Report by_day =
      GetReport(days.directory.path(), {}, {ReportKey::kDay, ReportKey::kAccount});
  REQUIRE(by_day.rows.size() == 3);
  CHECK(by_day.rows[0].day == "2026-11-20");
  CHECK(by_day.rows[0].totals.billable_bytes() == 1100);
  CHECK(by_day.rows[1].day == "2026-11-21");
  CHECK(by_day.rows[1].account == "acme");
  const Report by_month = GetReport(days.directory.path(), {}, {ReportKey::kMonth});
  REQUIRE(by_month.rows.size() == 1);
  CHECK(by_month.rows[0].month == "2026-11");
  uint64_t bytes = 0;
  uint64_t sessions = 0;
  for (const ReportRow& row : by_day.rows) {
    bytes += row.totals.billable_bytes();
    sessions += row.sessions;
  }
  CHECK(by_month.rows[0].totals.billable_bytes() == bytes);
  CHECK(by_month.rows[0].sessions == sessions);
  const Report by_label =
      GetReport(days.directory.path(), {}, {ReportKey::kTransport, ReportKey::kLabel});
  REQUIRE(by_label.rows.size() == 1);
  CHECK(by_label.rows[0].transport == "udp");
  CHECK(by_label.rows[0].label == "web");
  CHECK(by_label.rows[0].account.empty());
}

TEST_CASE("a period is complete when it is over, or when the ledger is closed") {
  TwoDays days;
  World& world = days.world;
  const std::string& directory = days.directory.path();
  const WallTime as_of = world.now;
  CHECK(GetReport(directory, {std::nullopt, as_of}).scope.complete);
  CHECK(!GetReport(directory, {std::nullopt, as_of + minutes(15)}).scope.complete);
  for (const auto& [slot, session] : world.sessions) {
    world.slots->Close(slot, CloseReason::kDrained, world.now);
  }
  REQUIRE(world.ledger->Finish(*world.slots, world.now));
  world.Die();
  CHECK(GetReport(directory).scope.complete);
  CHECK(GetReport(directory, {std::nullopt, as_of + hours(999)}).scope.complete);
  world.Start();
  CHECK(!GetReport(directory).scope.complete);
}

TEST_CASE("sessions show who, where, when and why") {
  TwoDays days;
  ReportScope scope;
  const auto rows = GetSessions({days.directory.path(), {}, {}, {}}, &scope);
  CHECK(scope.as_of == days.world.now);
  REQUIRE(rows.size() == 3);
  const SessionRow& early = rows[0];
  CHECK(FormatSessionId(early.id).size() == 36);
  CHECK(early.node == "relay-1");
  CHECK(early.edge == "ashburn");
  CHECK(early.region == "us1");
  CHECK(early.account == "acme");
  CHECK(early.username == "user-1");
  CHECK(early.label == "web");
  CHECK(early.transport == "udp");
  CHECK(early.client_address == "198.51.100.7:40000");
  CHECK(early.relayed_address == "203.0.113.7:10000");
  CHECK(early.started_at == kDay + hours(23));
  CHECK(early.ended_at == kDay + hours(23));
  CHECK(early.close_reason == "refreshed_to_zero");
  CHECK(early.totals.payload_bytes[0] == 100);
  CHECK(early.dropped_packets[static_cast<size_t>(DropReason::kNoPermission)] == 1);
  CHECK(!rows[1].ended_at);
  CHECK(!rows[1].close_reason);
}

TEST_CASE("a period cuts sessions; what is left adds up to its usage") {
  TwoDays days;
  const WallTime midnight = kDay + hours(24);
  const auto first = GetSessions({days.directory.path(), {kDay, midnight}, {}, {}});
  REQUIRE(first.size() == 2);
  CHECK(first[1].totals.billable_bytes() == 1000);
  const auto second = GetSessions({days.directory.path(), {midnight, std::nullopt}, {}, {}});
  REQUIRE(second.size() == 2);
  CHECK(second[0].totals.billable_bytes() == 500);
  // A session that lived through a period without relaying is still in it.
  const auto quiet =
      GetSessions({days.directory.path(), {midnight, midnight + minutes(15)}, {}, {}});
  REQUIRE(quiet.size() == 1);
  CHECK(quiet[0].totals == UsageTotals{});
  CHECK(GetSessions({days.directory.path(), {kDay, kDay + hours(1)}, {}, {}}).empty());
}

TEST_CASE("sessions of one account or one region") {
  TwoDays days;
  CHECK(GetSessions({days.directory.path(), {}, "acme", {}}).size() == 2);
  CHECK(GetSessions({days.directory.path(), {}, "umbrella", "us1"}).size() == 1);
  CHECK(GetSessions({days.directory.path(), {}, {}, "de1"}).empty());
  CHECK(GetSessions({days.directory.path(), {}, "", {}}).empty());
}

TEST_CASE("a reader may stop early") {
  TwoDays days;
  int seen = 0;
  SessionVisitor visitor;
  visitor.begin = [](const ReportScope&) { return true; };
  visitor.row = [&](const SessionRow&) {
    ++seen;
    return false;
  };
  CHECK(SessionsReport({days.directory.path(), {}, {}, {}}, visitor));
  CHECK(seen == 1);
}

TEST_CASE("an empty ledger gives an empty report") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  CHECK(GetReport(directory.path()).rows.empty());
  CHECK(GetSessions({directory.path(), {}, {}, {}}).empty());
}

TEST_CASE("what cannot be read is said with the file and the remedy") {
  const TempDirectory directory;
  const auto error = [&] {
    const auto report = UsageReport({directory.path(), {}, {ReportKey::kAccount}});
    REQUIRE(!report);
    return report.error();
  };
  CHECK(error().find("usage.db: No such file or directory (--ledger takes") != std::string::npos);
  metering_test::WriteWhole(directory.file("usage.db"), std::string(4096, 'x'));
  CHECK(error().find("is not a ledger of Turnpike") != std::string::npos);
  std::filesystem::remove(directory.file("usage.db"));
  World(directory.path()).Start();
  metering_test::Query(directory.path(), "PRAGMA user_version = 9");
  CHECK(error().find("has schema 9") != std::string::npos);
  if (geteuid() == 0) return;  // root may write anywhere
  for (const char* side : {"usage.db-wal", "usage.db-shm"}) {
    std::filesystem::remove(directory.file(side));
  }
  std::filesystem::permissions(
      directory.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  CHECK(error().find("a reader needs write permission in the directory") != std::string::npos);
  std::filesystem::permissions(directory.path(), std::filesystem::perms::owner_all);
}

TEST_CASE("periods begin and end on buckets") {
  CHECK(ParsePeriod("", "")->from == std::nullopt);
  const auto period = ParsePeriod("2026-11-20", "2026-11-20T12:15Z");
  REQUIRE(period);
  CHECK(period->from == kDay);
  CHECK(period->to == kNoon + minutes(15));
  CHECK(ParsePeriod("2026-11-20T12:05Z", "").error() ==
        "--from: 2026-11-20T12:05Z is not a multiple of 15 minutes since 1970, which usage is kept "
        "by");
  CHECK(ParsePeriod("", "yesterday").error().find("--to: ") == 0);
  CHECK(ParsePeriod("2026-11-20", "2026-11-20").error().find("--to must be later") == 0);
}

TEST_CASE("names to group by") {
  using Names = std::vector<std::string>;
  const auto keys = ParseReportKeys(Names{"day", "account"});
  REQUIRE(keys);
  CHECK(*keys == std::vector{ReportKey::kDay, ReportKey::kAccount});
  CHECK(ReportKeyName(ReportKey::kMonth) == "month");
  CHECK(ParseReportKeys(Names{"node"}).error().find("cannot group by \"node\"") == 0);
  CHECK(ParseReportKeys(Names{"day", "day"}).error() == "cannot group by day twice");
  CHECK(!ParseReportKeys(Names{}));
}

}  // namespace
}  // namespace turnpike
