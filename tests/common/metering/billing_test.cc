#include "common/metering/billing.h"

#include <doctest/doctest.h>

#include "tests/common/metering/billing_world.h"

namespace turnpike {
namespace {

using metering_test::At;
using metering_test::BillingWorld;

std::string Error(const std::expected<CloseResult, std::string>& result) {
  REQUIRE(!result);
  return result.error();
}

TEST_CASE("a month goes from open over grace and ready to closed") {
  BillingWorld world;
  world.Use("acme", 100, "2026-11-20T12:00Z");
  world.Use("acme", 7, "2026-11-30T23:59Z");
  world.Use("umbrella", 50, "2026-11-21");
  const auto state = [&] {
    const auto periods = ListPeriods(world.request);
    REQUIRE(periods);
    return std::string(PeriodStateName(periods->front().state)) +
           (periods->front().complete ? " complete" : "");
  };
  world.Now("2026-11-30T23:59Z");
  CHECK(state() == "open");
  CHECK(Error(world.Close("2026-11")) ==
        "2026-11 is not over: the ledger is complete up to 2026-11-30T23:59:00Z, closing needs it "
        "up to 2026-12-04T00:00:00Z (the period's end and a grace of 72h)");
  world.Now("2026-12-03T23:59Z");
  CHECK(state() == "grace complete");
  CHECK(Error(world.Close("2026-11")).starts_with("2026-11 is in its grace: "));
  CHECK(world.Entries().empty());
  world.Now("2026-12-04");
  CHECK(state() == "ready complete");
  const auto closed = world.Close("2026-11");
  REQUIRE_MESSAGE(closed, closed.error());
  CHECK(closed->rows == 2);
  CHECK(closed->billable_bytes == 157);
  CHECK(state() == "closed complete");
  CHECK(world.Entries() ==
        "1 usage 2026-11 acme 107  0\n"
        "2 usage 2026-11 umbrella 50  0\n"
        "3 close 2026-11  0  0\n");
  CHECK(world.Verify() == "");
}

TEST_CASE("closing twice changes nothing") {
  BillingWorld world;
  world.Use("acme", 100, "2026-11-20");
  world.Now("2026-12-05");
  const auto first = world.Close("2026-11");
  REQUIRE(first);
  const std::string file = metering_test::ReadWhole(world.directory.file("billing.db"));
  world.request.now += std::chrono::hours(1);
  world.request.actor = "somebody else";
  const auto again = world.Close("2026-11");
  REQUIRE(again);
  CHECK(again->was_closed);
  CHECK(again->head == first->head);
  CHECK(metering_test::ReadWhole(world.directory.file("billing.db")) == file);
}

TEST_CASE("months are closed in order; one without usage is no obstacle") {
  BillingWorld world;
  world.Use("acme", 1, "2026-08-31T23:59:59Z");
  world.Use("acme", 2, "2026-10-01");
  world.Now("2026-12-05");
  CHECK(Error(world.Close("2026-10")) ==
        "2026-08 has usage and is not closed: close it before 2026-10");
  CHECK(world.Close("2026-08"));
  CHECK(world.Close("2026-10"));
  CHECK(world.Close("2026-11")->rows == 0);
}

TEST_CASE("a server that stopped for good leaves months that can be closed") {
  BillingWorld world;
  world.Use("acme", 100, "2026-11-20");
  REQUIRE(world.world.ledger->Finish(*world.world.slots, At("2026-11-25")));
  world.request.now = At("2026-12-03");
  CHECK(!world.Close("2026-11"));
  world.request.now = At("2026-12-04");
  CHECK(world.Close("2026-11"));
}

TEST_CASE("late data is a correction in the next period, with actor, reason and the original") {
  BillingWorld world;
  world.Use("acme", 100, "2026-11-20");
  world.Now("2026-12-05");
  REQUIRE(world.Close("2026-11"));
  world.Use("acme", 11, "2026-11-20T00:15Z");  // known to the ledger only now
  world.Use("late", 5, "2026-11-21");
  world.Use("acme", 1000, "2026-12-20");
  world.Now("2027-01-04");
  CHECK(world.Close("2026-11")->late == 2);
  CHECK(ListPeriods(world.request)->front().late_bytes == 16);
  CHECK(world.Verify() == "");  // it waits; nothing is wrong
  world.request.reason = "a node came back";
  world.request.actor = "eve";
  const auto closed = world.Close("2026-12");
  REQUIRE_MESSAGE(closed, closed.error());
  CHECK(closed->corrections == 2);
  CHECK(closed->billable_bytes == 1016);
  CHECK(world.Entries() ==
        "1 usage 2026-11 acme 100  0\n"
        "2 close 2026-11  0  0\n"
        "3 correction 2026-12 acme 11 2026-11 1\n"
        "4 correction 2026-12 late 5 2026-11 0\n"
        "5 usage 2026-12 acme 1000  0\n"
        "6 close 2026-12  0  0\n");
  const auto file = BillingFile::OpenForReading(world.directory.path());
  (*file)->Walk([](const BillingEntry& entry) {
    if (entry.number != 3) return true;
    CHECK(entry.actor == "eve");
    CHECK(entry.reason == "a node came back");
    CHECK(entry.at == At("2027-01-04"));
    CHECK(entry.counts[6] == 1);  // a session
    return true;
  });
  const auto periods = ListPeriods(world.request);
  CHECK(periods->at(0).late_bytes == 0);
  CHECK(periods->at(0).billed_bytes == 100);
  CHECK(periods->at(0).totals.billable_bytes() == 116);
  CHECK(periods->at(1).corrected_bytes == 16);
  CHECK(world.Verify() == "");
}

TEST_CASE("correct books late data now, once") {
  BillingWorld world;
  CHECK(Error(CorrectPeriods(world.request)).starts_with("no period is closed"));
  world.Use("acme", 100, "2026-11-20");
  world.Now("2026-12-05");
  REQUIRE(world.Close("2026-11"));
  CHECK(CorrectPeriods(world.request)->corrections == 0);
  world.Use("acme", 11, "2026-11-20");
  world.Now("2026-12-06");
  CHECK(CorrectPeriods(world.request)->corrections == 1);
  CHECK(CorrectPeriods(world.request)->corrections == 0);
  world.Now("2027-01-05");
  CHECK(world.Close("2026-12")->corrections == 0);
  CHECK(world.Entries() ==
        "1 usage 2026-11 acme 100  0\n"
        "2 close 2026-11  0  0\n"
        "3 correction 2026-12 acme 11 2026-11 1\n"
        "4 close 2026-12  0  0\n");
}

TEST_CASE("a ledger with less than was closed credits nobody by itself") {
  BillingWorld world;
  world.Use("acme", 100, "2026-11-20");
  world.Now("2026-12-05");
  REQUIRE(world.Close("2026-11"));
  for (const char* table : {"usage_bucket", "usage_part", "session", "usage_total"}) {
    metering_test::Query(world.directory.path(),
                         "UPDATE " + std::string(table) + " SET client_to_peer_bytes = 60");
  }
  CHECK(world.Verify() ==
        "periods: 2026-11: the ledger has 40 billable bytes less than what was closed, first of "
        "account acme, region us1, transport udp, label web");
  const std::string before = world.Entries();
  CHECK(Error(CorrectPeriods(world.request))
            .starts_with("the ledger has less usage in 2026-11 than was closed (account acme"));
  world.Now("2027-01-05");
  CHECK(!world.Close("2026-12"));
  CHECK(world.Entries() == before);
  world.request.allow_less = true;
  CHECK(CorrectPeriods(world.request)->billable_bytes == -40);
  CHECK(world.Verify() == "");
}

TEST_CASE("what one account lost is not hidden by what another got late") {
  BillingWorld world;
  world.Use("acme", 100, "2026-11-20");
  world.Use("umbrella", 100, "2026-11-20");
  world.Now("2026-12-05");
  REQUIRE(world.Close("2026-11"));
  metering_test::Query(world.directory.path(),
                       "UPDATE usage_bucket SET client_to_peer_bytes = 160 - 110 * (account = 1)");
  const auto periods = ListPeriods(world.request);
  REQUIRE(periods);
  CHECK(periods->front().late_bytes == 60);
  CHECK(periods->front().lost_bytes == 50);
  CHECK(periods->front().first_loss == "account acme, region us1, transport udp, label web");
}

TEST_CASE("closing works beside a running server, and never writes its file") {
  BillingWorld world;
  world.Use("acme", 100, "2026-11-20");
  world.Now("2026-12-05");
  const auto bytes = [&](const char* name) {
    return metering_test::ReadWhole(world.directory.file(name));
  };
  const std::string db = bytes("usage.db");
  const std::string wal = bytes("usage.db-wal");
  REQUIRE(world.Close("2026-11"));
  CHECK(world.Verify() == "");
  CHECK(bytes("usage.db") == db);
  CHECK(bytes("usage.db-wal") == wal);
  world.Use("acme", 1, "2026-12-06");
  world.world.Checkpoint();
  world.world.CheckExact();
}

}  // namespace
}  // namespace turnpike
