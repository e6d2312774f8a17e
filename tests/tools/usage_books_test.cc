// `turnpike usage periods`, `close`, `correct` and `verify` as finance runs them.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "tests/common/metering/billing_world.h"
#include "tests/tools/command.h"

namespace turnpike {
namespace {

using metering_test::BillingWorld;

bool Has(const Result& result, const std::string& text) {
  return result.out.find(text) != std::string::npos;
}

TEST_CASE("a month is closed, late data is corrected, and all of it is verified") {
  BillingWorld world;
  world.Use("acme", 100, "2026-10-20");
  world.Now("2026-10-25");
  const std::string ledger = " --ledger " + world.directory.path();
  Result result = RunTurnpike("usage close 2026-10" + ledger);
  CHECK(result.status == 1);
  CHECK(Has(result, "turnpike: 2026-10 is not over: the ledger is complete up to 2026-10-25"));
  world.Now("2026-11-05");
  result = RunTurnpike("usage close 2026-10 --actor eve" + ledger);
  CHECK(result.status == 0);
  CHECK(Has(result, "2026-10 is closed: 1 rows of usage, 0 corrections of earlier periods, 100 "));
  const size_t at = result.out.find("head of the chain: ");
  REQUIRE(at != std::string::npos);
  const std::string head = result.out.substr(at + 19, 64);
  result = RunTurnpike("usage close 2026-10" + ledger);
  CHECK(result.status == 0);
  CHECK(Has(result, "2026-10 is closed already; nothing was changed"));

  world.Use("acme", 11, "2026-10-21");
  world.Now("2026-11-06");
  result = RunTurnpike("usage close 2026-10" + ledger);
  CHECK(Has(result, "1 rows of closed periods have grown since"));
  result = RunTurnpike("usage correct --reason 'node came back'" + ledger);
  CHECK(result.status == 0);
  CHECK(Has(result, "1 corrections, 11 billable bytes"));
  CHECK(Has(RunTurnpike("usage correct" + ledger), "nothing came late"));

  result = RunTurnpike("usage periods --format json" + ledger);
  REQUIRE(result.status == 0);
  const auto rows = nlohmann::json::parse(result.out)["rows"];
  REQUIRE(rows.size() == 2);  // the correction is billed in the month that is open
  CHECK(rows[0]["period"] == "2026-10");
  CHECK(rows[0]["state"] == "closed");
  CHECK(rows[0]["closed_bytes"] == 100);
  CHECK(rows[0]["billable_bytes"] == 111);
  CHECK(rows[0]["late_bytes"] == 0);
  CHECK(rows[0]["closed_by"] == "eve");
  CHECK(rows[1]["state"] == "open");
  CHECK(rows[1]["corrected_bytes"] == 11);
  CHECK(Has(RunTurnpike("usage periods" + ledger), "2026-10  closed"));

  result = RunTurnpike("usage verify --head " + head + ledger);
  CHECK(result.status == 0);
  CHECK(Has(result, "ok    chain"));
  CHECK(Has(result, "the ledger agrees with itself"));
  metering_test::Query(world.directory.path(),
                       "UPDATE usage_part SET client_to_peer_bytes = 99 WHERE session = 1");
  result = RunTurnpike("usage verify" + ledger);
  CHECK(result.status == 1);
  CHECK(Has(result, "WRONG sessions    session 0"));
  CHECK(Has(result, "it has client_to_peer_bytes 100, its parts add up to 99"));
  CHECK(Has(result, "the ledger is NOT in order"));
}

TEST_CASE("an invoice of a closed month says what came later, and a month its corrections") {
  BillingWorld world;
  world.Use("acme", 100, "2026-10-20");
  world.Now("2026-11-05");
  const std::string ledger = " --ledger " + world.directory.path();
  const TempFile rates(
      "currency: EUR\nseller: {name: Example}\ncards:\n"
      "  - {id: a, effective_from: 2026-01-01, prices: [{price: 0.40}]}\n");
  const std::string options = ledger + " --rates " + rates.path() + " --period ";
  const std::string invoice = "usage invoice --account acme" + options;
  CHECK_FALSE(Has(RunTurnpike(invoice + "2026-10"), "warning"));
  REQUIRE(RunTurnpike("usage close 2026-10" + ledger).status == 0);
  CHECK_FALSE(Has(RunTurnpike(invoice + "2026-10"), "warning"));
  world.Use("acme", 11, "2026-10-21");
  world.Use("acme", 7, "2026-11-05");
  world.Now("2026-11-06");
  for (const bool corrected : {false, true}) {
    if (corrected) REQUIRE(RunTurnpike("usage correct" + ledger).status == 0);
    const std::string was = "warning: 2026-10 was closed with 100 bytes; this prices 11 more";
    CHECK(Has(RunTurnpike(invoice + "2026-10"), was));
    CHECK(Has(RunTurnpike("usage focus" + options + "2026-10"), was));
    CHECK(Has(RunTurnpike(invoice + "2026-11"),
              "by 11 bytes are booked into 2026-11 without a price") == corrected);
  }
}

TEST_CASE("corrections are listed with who booked them, why, and the row they correct") {
  BillingWorld world;
  world.Use("acme", 100, "2026-10-20");
  world.Now("2026-11-05");
  const std::string ledger = " --ledger " + world.directory.path();
  const std::string list = "usage corrections" + ledger;
  REQUIRE(RunTurnpike("usage close 2026-10" + ledger).status == 0);
  CHECK(RunTurnpike(list).out == "nothing came late: there are no corrections\n");
  world.Use("acme", 11, "2026-10-21");
  world.Now("2026-11-06");
  CHECK(Has(RunTurnpike(list), "waits for `turnpike usage correct`"));
  REQUIRE(RunTurnpike("usage correct --actor eve --reason 'a disk was found'" + ledger).status ==
          0);
  const Result result = RunTurnpike(list);
  const std::regex row("\n +3 +2026-11 +2026-10 +1 +acme .* 11  .*Z  eve    a disk was found\n");
  CHECK(std::regex_search(result.out, row));
  CHECK(Has(result, "total: 1 corrections, 11 billable bytes\n"));
  CHECK(Has(RunTurnpike(list + " --format json"), R"("actor":"eve","reason":"a disk was found")"));
}

TEST_CASE("what came late to an invoiced month stands priced on the next invoice") {
  BillingWorld world;
  world.Use("acme", 1'500'000'000, "2026-10-20");
  world.Now("2026-11-05");
  const TempFile rates(
      "currency: EUR\nseller: {name: Example}\ncards:\n"
      "  - {id: a, effective_from: 2026-01-01, prices: [{price: 0.40}]}\n");
  const std::string options = " --ledger " + world.directory.path() + " --rates " + rates.path();
  REQUIRE(RunTurnpike("usage close 2026-10" + options).status == 0);
  world.Use("acme", 250'000'000, "2026-10-21");
  world.Now("2026-11-06");
  CHECK(Has(RunTurnpike("usage correct" + options), "1 corrections, 250000000 billable bytes, 1 "));
  const Result next = RunTurnpike("usage invoice --account acme --period 2026-11" + options);
  CHECK(next.status == 0);
  CHECK_FALSE(Has(next, "warning"));
  CHECK(Has(next, "2026-11/acme/correction/2026-10/acme/a/us1/udp/tier-1"));
  CHECK(Has(next, "total: 0.10 EUR"));
  const Result closed = RunTurnpike("usage invoice --account acme --period 2026-10" + options);
  CHECK(Has(closed, "2026-10 is closed: these are the amounts of its close"));
  CHECK(Has(closed, "total: 0.60 EUR"));
  CHECK(Has(RunTurnpike("usage focus --period 2026-11" + options), ",Usage,Correction,"));
  const Result explained =
      RunTurnpike("usage explain 2026-11/acme/correction/2026-10/acme/a/us1/udp/tier-1" + options);
  CHECK(explained.status == 0);
  CHECK(Has(explained, "is what came late to 2026-10/acme/a/us1/udp/tier-1, whose sessions these"));
  CHECK(Has(explained, "the sessions add up to the line"));
  CHECK(Has(RunTurnpike("usage report --by account" + options), ", 0.70 EUR\n"));
}

TEST_CASE("a ledger is backed up beside its server, and the copy is a ledger") {
  BillingWorld world;
  world.Use("acme", 100, "2026-10-20");
  world.Now("2026-11-05");
  const TempDirectory parent;
  const std::string ledger = " --ledger " + world.directory.path();
  REQUIRE(RunTurnpike("usage close 2026-10" + ledger).status == 0);
  const std::string copy = parent.file("made/for/it");
  const Result result = RunTurnpike("usage backup" + ledger + " -o " + copy);
  CHECK_MESSAGE(result.status == 0, result.out);
  CHECK(Has(result, "as of: 2026-11-05T00:00:00Z, with the books of closed months\n"));
  CHECK(Has(RunTurnpike("usage verify --ledger " + copy), "1 closed periods"));
  CHECK(RunTurnpike("usage reconcile --ledger " + copy + " --with " + world.directory.path())
            .status == 0);
  CHECK(RunTurnpike("usage backup" + ledger + " -o " + copy).status == 0);
  CHECK(Has(RunTurnpike("usage backup" + ledger + " -o " + world.directory.path()),
            "is a server's metering directory"));
}

TEST_CASE("a month is closed with its invoices") {
  BillingWorld world;
  world.Use("acme", 1'500'000'000, "2026-10-20");
  world.Now("2026-11-05");
  const TempFile rates(
      "currency: EUR\nseller: {name: Example}\ncards:\n"
      "  - {id: a, effective_from: 2026-01-01, prices: [{price: 0.40}]}\n");
  const std::string close =
      "usage close 2026-10 --ledger " + world.directory.path() + " --rates " + rates.path();
  Result result = RunTurnpike(close + "-missing");
  CHECK(result.status == 1);
  result = RunTurnpike(close);
  CHECK_MESSAGE(result.status == 0, result.out);
  CHECK(Has(result, "1500000000 billable bytes, 1 invoices, 0 priced lines"));
  CHECK(Has(RunTurnpike("usage verify --ledger " + world.directory.path()), "ok    chain"));
}

TEST_CASE("ledgers are merged into a file that every command reads") {
  BillingWorld world;
  world.Use("acme", 100, "2026-10-20");
  world.Now("2026-11-20");
  const TempDirectory other;
  const std::string region = other.file("region.db");
  const std::string merge = "usage merge " + world.directory.path() + " -o " + region;
  Result result = RunTurnpike(merge + " --nodes relay-1,relay-2");
  CHECK(result.status == 1);  // the file is whole without it, a script should still stop
  CHECK(result.out == region +
                          ": 1 ledgers, 1 boots, 1 sessions (1 new), 100 billable bytes\n"
                          "as of: 2026-11-20T00:00:00Z\n"
                          "gap: node relay-2, none of its ledgers was merged\n"
                          "turnpike: 1 of the nodes of --nodes are not in " +
                          region + " yet; the rest is\n");
  CHECK(Has(RunTurnpike(merge), "1 sessions (0 new), 100 billable bytes"));
  CHECK(Has(RunTurnpike("usage report --ledger " + region), "100 billable bytes"));
  CHECK(RunTurnpike("usage close 2026-10 --ledger " + region).status == 0);
  CHECK(std::filesystem::exists(other.file("region.billing.db")));
  CHECK(Has(RunTurnpike("usage verify --ledger " + region), "1 closed periods"));
  result = RunTurnpike("usage merge " + region + " -o " + world.directory.file("usage.db"));
  CHECK(result.status == 1);
  CHECK(Has(result, "usage.db was not made by a merge of this release"));
}

TEST_CASE("a ledger is held against metrics and against another ledger") {
  BillingWorld world;
  world.Use("acme", 100, "2026-10-20");
  world.Now("2026-10-25");
  const std::string command = "usage reconcile --ledger " + world.directory.path();
  const std::string series =
      "turn_billable_bytes_total{account=\"acme\",region=\"us1\",direction=\"client_to_peer\"} ";
  const TempFile right(series + "100\n");
  const TempFile wrong(series + "90\n");
  Result result = RunTurnpike(command + " --prometheus " + right.path());
  CHECK(result.status == 0);
  CHECK(Has(result, "difference 0: 1 series, 100 billable bytes on both sides"));
  CHECK(RunTurnpike(command + " --prometheus file://" + right.path()).status == 0);
  CHECK(RunTurnpike(command + " --prometheus - < " + right.path()).status == 0);
  result = RunTurnpike(command + " --prometheus " + wrong.path());
  CHECK(result.status == 1);
  CHECK(std::regex_search(result.out, std::regex("\nacme +us1 +client_to_peer +100 +90 +\\+10\n")));
  const TempFile hostile(
      "turn_billable_bytes_total{account=\"\x1b[31m\",region=\"\\\\x5C\",direction=\"x\"} 5\n");
  CHECK(Has(RunTurnpike(command + " --prometheus " + hostile.path()), "\n\\x1B[31m  \\x5C    x  "));
  CHECK(RunTurnpike(command + " --with " + world.directory.path()).status == 0);
  CHECK(Has(RunTurnpike(command), "name one of --prometheus and --with"));
  CHECK(Has(RunTurnpike(command + " --prometheus /nowhere"), "cannot read /nowhere"));
  CHECK(Has(RunTurnpike(command + " --prometheus https://x"), "is not http://HOST"));
  CHECK(Has(RunTurnpike(command + " --prometheus http://x:0/metrics"), "the port is a number"));
  CHECK(Has(RunTurnpike(command + " --prometheus http://127.0.0.1:1/metrics"), "cannot reach "));
}

TEST_CASE("what cannot be is said") {
  BillingWorld world;
  const std::string ledger = " --ledger " + world.directory.path();
  CHECK(Has(RunTurnpike("usage close november" + ledger), "\"november\" is not a month"));
  CHECK(Has(RunTurnpike("usage close 2026-10 --grace soon" + ledger), "--grace: "));
  CHECK(RunTurnpike("usage correct" + ledger).out ==
        "turnpike: no period is closed: there is "
        "nothing to correct\n");
  CHECK(RunTurnpike("usage periods" + ledger).status == 0);
  for (const char* command : {"periods", "close 2026-10", "correct", "verify"}) {
    const Result result = RunTurnpike("usage " + std::string(command) + " --ledger /nowhere");
    CHECK(result.status == 1);
    CHECK(result.out.starts_with("turnpike: cannot "));
  }
}

}  // namespace
}  // namespace turnpike
