// `turnpike usage invoice` and `turnpike usage explain` as finance runs them.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/tools/temp_ledger.h"

namespace turnpike {
namespace {

constexpr std::string_view kRates =
    "currency: EUR\nseller: {name: Example}\ncards:\n"
    "  - {id: a, effective_from: 2026-01-01, unit: MB, prices: [{tiers: [{up_to: 0.0001, "
    "price: 1000}, {price: 500}]}]}\n";

TEST_CASE("usage invoice prices a month of an account, in every format") {
  const TempLedger ledger;
  const TempFile rates(kRates);
  const std::string command = "usage invoice --ledger " + ledger.path() + " --rates " +
                              rates.path() + " --period 2026-11 --account acme";
  const Result table = RunTurnpike(command);
  CHECK(table.status == 0);
  CHECK(table.out.find("invoice 2026-11/acme\nfrom:   Example\n") == 0);
  CHECK(table.out.find("\ntotal: 0.12 EUR\n") != std::string::npos);
  const Result json = RunTurnpike(command + " --format json");
  REQUIRE(json.status == 0);
  const auto invoice = nlohmann::json::parse(json.out);
  CHECK(invoice["total"] == "0.12");
  CHECK(invoice["complete"] == true);
  REQUIRE(invoice["rows"].size() == 2);
  CHECK(invoice["rows"][0]["line_id"] == "2026-11/acme/a/us1/udp/tier-1");
  CHECK(invoice["rows"][0]["amount"] == "0.10");
  CHECK(invoice["rows"][1]["quantity"] == "0.00004");
  CHECK(invoice["rows"][1]["amount"] == "0.02");
  CHECK(RunTurnpike(command + " --format csv").out.find("invoice_id,account,period,") == 0);
  CHECK(RunTurnpike(command + " --format html").out.find("<!doctype html>") == 0);
}

TEST_CASE("usage explain walks from a line to its sessions, and says that they add up") {
  const TempLedger ledger;
  const TempFile rates(kRates);
  const std::string options = " --ledger " + ledger.path() + " --rates " + rates.path();
  const Result table = RunTurnpike("usage explain 2026-11/acme/a/us1/udp/tier-2" + options);
  CHECK(table.status == 0);
  CHECK(table.out.find("relay-1") != std::string::npos);
  CHECK(table.out.find("sessions: 140 bytes\n"
                       "other line: 100 bytes, 2026-11/acme/a/us1/udp/tier-1\n"
                       "this line: 40 bytes, 2026-11/acme/a/us1/udp/tier-2\n"
                       "the sessions add up to these lines\n") != std::string::npos);
  const Result json = RunTurnpike("usage explain 2026-11/acme/a/us1/udp/tier-2 --format json" +
                                  options + " 2>/dev/null #");
  REQUIRE(json.status == 0);
  CHECK(nlohmann::json::parse(json.out)["rows"][0]["bytes"] == 140);
}

TEST_CASE("usage focus writes every account's charges") {
  const TempLedger ledger;
  const TempFile rates(kRates);
  const std::string command =
      "usage focus --ledger " + ledger.path() + " --rates " + rates.path() + " --period 2026-11";
  const Result result = RunTurnpike(command);
  CHECK(result.status == 0);
  CHECK(result.out.find("BilledCost,EffectiveCost,ListCost,ContractedCost,BillingAccountId,") == 0);
  CHECK(result.out.find("\r\n0.1,0.1,0.1,0.1,acme,acme,EUR,2026-11-01T00:00:00Z,") !=
        std::string::npos);
  CHECK(RunTurnpike(command + " --account nobody").status == 1);
  CHECK(RunTurnpike("usage focus --period x --ledger a --rates b").status == 1);
}

TEST_CASE("usage invoice and explain say what is wrong and exit with 1") {
  const TempLedger ledger;
  const TempFile rates(kRates);
  const TempFile bad("currency: EURO\nseller: {name: Example}\ncards: []\n");
  const std::string options = " --ledger " + ledger.path() + " --rates " + rates.path();
  const std::string invoice = "usage invoice --account acme --period 2026-11";
  for (const auto& [arguments, message] :
       {std::pair{"usage invoice --account acme --period May" + options,
                  "--period: \"May\" is not a month; write it like 2026-11"},
        std::pair{"usage invoice --account acme --period 2025-11" + options,
                  ":4: cards[0].effective_from: leaves a gap: no card is in force from 2025-11-01"},
        std::pair{"usage invoice --account nobody --period 2026-11" + options,
                  "the ledger knows no account \"nobody\""},
        std::pair{invoice + " --format pdf" + options, "unknown format \"pdf\""},
        std::pair{invoice + " --ledger " + ledger.path() + " --rates " + bad.path(),
                  ":1: currency: `EURO` is not a currency of ISO 4217"},
        std::pair{invoice + " --ledger " + ledger.path() + " --rates /nonexistent",
                  "/nonexistent: cannot be read"},
        std::pair{"usage explain x" + options, "\"x\" is not a line's id"},
        std::pair{"usage explain 2026-11/acme/a/us1/udp/tier-9" + options,
                  "the invoice 2026-11/acme has no line 2026-11/acme/a/us1/udp/tier-9"}}) {
    CAPTURE(arguments);
    const Result result = RunTurnpike(arguments);
    CAPTURE(result.out);
    CHECK(result.status == 1);
    CHECK(result.out.find(message) != std::string::npos);
  }
  CHECK(RunTurnpike("usage invoice --account acme").status == 2);
}

}  // namespace
}  // namespace turnpike
