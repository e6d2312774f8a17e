// `turnpike usage` as operators and their scripts run it.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/tools/temp_ledger.h"

namespace turnpike {
namespace {

TEST_CASE("usage report prints a table, and JSON with the names of the contract") {
  const TempLedger ledger;
  const Result table = RunTurnpike("usage report --ledger " + ledger.path());
  CHECK(table.status == 0);
  CHECK(table.out.find("acme     us1            1                   100") != std::string::npos);
  const Result result = RunTurnpike("usage report --ledger " + ledger.path() +
                                    " --from 2026-11-01 --to 2026-12-01 --format json");
  REQUIRE(result.status == 0);
  const auto json = nlohmann::json::parse(result.out);
  CHECK(json["as_of"] == "2026-11-20T12:00:00Z");
  CHECK(json["complete"] == true);
  REQUIRE(json["rows"].size() == 1);
  const auto& row = json["rows"][0];
  CHECK(row["account"] == "acme");
  CHECK(row["region"] == "us1");
  CHECK(row["sessions"] == 1);
  CHECK(row["client_to_peer_bytes"] == 100);
  CHECK(row["peer_to_client_bytes"] == 40);
  CHECK(row["billable_bytes"] == 140);
}

TEST_CASE("usage report --by takes several names") {
  const TempLedger ledger;
  const Result result =
      RunTurnpike("usage report --ledger " + ledger.path() + " --by day,transport --format csv");
  CHECK(result.status == 0);
  CHECK(result.out.find("day,transport,sessions,") == 0);
  CHECK(result.out.find("\r\n2026-11-20,udp,1,100,40,140,") != std::string::npos);
}

TEST_CASE("usage report takes a zone, the edge, and writes JSON lines") {
  const TempLedger ledger;
  const Result zone = RunTurnpike("usage report --ledger " + ledger.path() +
                                  " --by day,edge --zone Pacific/Auckland --format jsonl");
  CHECK(zone.status == 0);
  const auto line = nlohmann::json::parse(zone.out);
  CHECK(line["day"] == "2026-11-21");
  CHECK(line["edge"] == "ashburn");
  CHECK(line["billable_bytes"] == 140);
  CHECK(line["complete"] == true);
  const Result period =
      RunTurnpike("usage report --ledger " + ledger.path() +
                  " --zone Pacific/Auckland --from 2026-11-21 --to 2026-11-22 --by account");
  CHECK(period.out.find("period: 2026-11-20T11:00:00Z to 2026-11-21T11:00:00Z") !=
        std::string::npos);
}

TEST_CASE("usage sessions lists sessions, and filters them") {
  const TempLedger ledger;
  const Result result = RunTurnpike("usage sessions --ledger " + ledger.path() +
                                    " --account acme --region us1 --format json");
  REQUIRE(result.status == 0);
  const auto json = nlohmann::json::parse(result.out);
  REQUIRE(json["rows"].size() == 1);
  CHECK(json["rows"][0]["node"] == "relay-1");
  CHECK(json["rows"][0]["close_reason"] == "expired");
  const Result none = RunTurnpike("usage sessions --ledger " + ledger.path() + " --account other");
  CHECK(none.status == 0);
  CHECK(none.out.find("no usage in this period") == 0);
}

TEST_CASE("usage says what is wrong and exits with 1") {
  const TempLedger ledger;
  const std::string command = "usage report --ledger " + ledger.path();
  for (const auto& [arguments, message] :
       {std::pair{command + " --by colour", "cannot group by \"colour\""},
        std::pair{command + " --zone Mars", "--zone: there is no time zone \"Mars\""},
        std::pair{command + " --format xml", "unknown format \"xml\""},
        std::pair{command + " --from 2026-11-20T12:01Z", "not a multiple of 15 minutes"},
        std::pair{command + " --from 2026-11-20 --to 2026-11-19", "--to must be later"},
        std::pair{std::string("usage report --ledger /nonexistent"), "cannot find a ledger"},
        std::pair{command + " 3>&1 >/dev/full 2>&3 #", "cannot write the report"}}) {
    CAPTURE(arguments);
    const Result result = RunTurnpike(arguments);
    CHECK(result.status == 1);
    CHECK(result.out.find(message) != std::string::npos);
  }
  CHECK(RunTurnpike("usage report").status == 2);
}

}  // namespace
}  // namespace turnpike
