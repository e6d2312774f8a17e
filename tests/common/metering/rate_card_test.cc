#include "common/metering/rate_card.h"

#include <doctest/doctest.h>

#include "tests/common/metering/rate_tables.h"

namespace turnpike {
namespace {

using metering_test::At;
using metering_test::FlatCard;
using metering_test::FlatRule;
using metering_test::FlatTable;
using metering_test::PriceOf;

// Problems returns what is wrong with `table`, a line each.
std::string Problems(const RateTable& table) {
  std::string lines;
  for (const RateProblem& problem : CheckRates(table)) {
    lines += problem.key + ": " + problem.what + "\n";
  }
  return lines;
}

TEST_CASE("a plain table has no problems") { CHECK(Problems(FlatTable("0.5")).empty()); }

TEST_CASE("overlapping cards, gaps and wrong orders are named") {
  RateTable table = FlatTable("0.5");
  table.cards.push_back(FlatCard("b", "2026-06-01", "0.4"));
  CHECK(Problems(table).empty());
  table.cards[0].effective_to = At("2026-06-01");
  CHECK(Problems(table).empty());
  table.cards[0].effective_to = At("2026-06-02");
  CHECK(Problems(table) ==
        "cards[1].effective_from: 2026-06-01T00:00:00Z overlaps card 2026, which holds until "
        "2026-06-02T00:00:00Z; begin then, or remove its effective_to\n");
  table.cards[0].effective_to = At("2026-05-31");
  CHECK(Problems(table) ==
        "cards[1].effective_from: leaves a gap: card 2026 ends at 2026-05-31T00:00:00Z and this "
        "one begins at 2026-06-01T00:00:00Z; begin then, or remove its effective_to\n");
  table.cards[0].effective_to.reset();
  table.cards[1].effective_from = At("2026-01-01");
  CHECK(Problems(table) ==
        "cards[1].effective_from: 2026-01-01T00:00:00Z is not later than that of the card before "
        "it (2026-01-01T00:00:00Z): both would hold; sort cards by it\n");
  table.cards[1].effective_from = At("2026-06-01T00:10Z");
  CHECK(Problems(table).find("is not a multiple of 15 minutes") != std::string::npos);
}

TEST_CASE("what a table says wrongly is named with its key") {
  struct Row {
    void (*spoil)(RateTable&);
    std::string_view problem;
  };
  for (const Row& row : std::vector<Row>{
           {[](RateTable& t) { t.currency = "eur"; }, "currency: `eur` is not a currency"},
           {[](RateTable& t) { t.seller.clear(); }, "seller.name: is empty"},
           {[](RateTable& t) { t.cards.clear(); }, "cards: is empty"},
           {[](RateTable& t) { t.cards[0].id = "a b"; }, "cards[0].id: `a b` cannot name a card"},
           {[](RateTable& t) { t.cards.push_back(FlatCard("2026", "2026-06-01", "1")); },
            "cards[0].id: another card has the same id 2026"},
           {[](RateTable& t) { t.cards[0].effective_to = t.cards[0].effective_from; },
            "cards[0].effective_to: is not later than effective_from"},
           {[](RateTable& t) { t.cards[0].minimum = Amount(-1); }, "cards[0].minimum: is negative"},
           {[](RateTable& t) { t.cards[0].prices[0].region = "us1"; },
            "cards[0].prices: none is for all usage"},
           {[](RateTable& t) { t.cards[0].prices.clear(); }, "cards[0].prices: is empty"},
           {[](RateTable& t) { t.cards[0].prices.push_back(t.cards[0].prices[0]); },
            "cards[0].prices[1]: prices the same usage (default) as one before it"},
           {[](RateTable& t) {
              t.regions = {"us1", "de1"};
              t.cards[0].prices.push_back(FlatRule("1"));
              t.cards[0].prices[1].region = "us2";
            },
            "cards[0].prices[1].region: `us2` is not one of `regions` (us1, de1); add it there"},
           {[](RateTable& t) {
              t.cards[0].prices.push_back(FlatRule("1"));
              t.cards[0].prices[1].transport = "sctp";
            },
            "cards[0].prices[1].transport: `sctp` is not one of udp, tcp, tls, dtls"},
           {[](RateTable& t) { t.cards[0].prices[0].tiers[0].price = PriceOf("-0.1"); },
            "cards[0].prices[0].price: -0.1 is negative"},
           {[](RateTable& t) { t.cards[0].prices[0].tiers[0].up_to = 5; },
            "cards[0].prices[0].tiers[0].up_to: ends the last tier"},
           {[](RateTable& t) { t.cards[0].prices[0].tiers.push_back({std::nullopt, Price(0)}); },
            "cards[0].prices[0].tiers[0]: has no up_to, but a tier follows"},
           {[](RateTable& t) {
              t.cards[0].prices[0].tiers = {{5, Price(1)}, {5, Price(1)}, {std::nullopt, Price(1)}};
            },
            "cards[0].prices[0].tiers[1].up_to: is not above the tier before it; sort"},
           {[](RateTable& t) {
              t.cards[0].prices[0].tiers = {{0, Price(1)}, {std::nullopt, Price(1)}};
            },
            "cards[0].prices[0].tiers[0].up_to: is not above the tier before it"},
           {[](RateTable& t) { t.cards[0].prices[0].tiers.clear(); },
            "cards[0].prices[0].tiers: is empty"},
       }) {
    RateTable table = FlatTable("0.5");
    row.spoil(table);
    CAPTURE(std::string(row.problem));
    const std::string problems = Problems(table);
    CAPTURE(problems);
    CHECK(problems.find(row.problem) != std::string::npos);
  }
}

TEST_CASE("a period that no card covers is named with the first instant without one") {
  RateTable table = FlatTable("0.5");
  CHECK(!CheckCoverage(table, At("2026-01-01"), At("2026-02-01")));
  const auto early = CheckCoverage(table, At("2025-12-01"), At("2026-01-02"));
  REQUIRE(early);
  CHECK(early->key == "cards[0].effective_from");
  CHECK(early->what ==
        "leaves a gap: no card is in force from 2025-12-01T00:00:00Z to 2026-01-01T00:00:00Z; "
        "begin earlier, or add a card for that time");
  table.cards[0].effective_to = At("2026-02-01");
  CHECK(!CheckCoverage(table, At("2026-01-01"), At("2026-02-01")));
  const auto late = CheckCoverage(table, At("2026-01-01"), At("2026-03-01"));
  REQUIRE(late);
  CHECK(late->key == "cards[0].effective_to");
  CHECK(late->what.find("from 2026-02-01T00:00:00Z to 2026-03-01T00:00:00Z") != std::string::npos);
}

TEST_CASE("a card is in force from its start, inclusive, to the next one's, exclusive") {
  RateTable table = FlatTable("0.5");
  table.cards.push_back(FlatCard("b", "2026-06-01T12:15Z", "0.4"));
  table.cards[1].effective_to = At("2026-07-01");
  CHECK(table.CardAt(At("2025-12-31T23:45Z")) == nullptr);
  CHECK(table.CardAt(At("2026-01-01"))->id == "2026");
  CHECK(table.CardAt(At("2026-06-01T12:14:59Z"))->id == "2026");
  CHECK(table.CardAt(At("2026-06-01T12:15Z"))->id == "b");
  CHECK(table.CardAt(At("2026-07-01")) == nullptr);
}

TEST_CASE("the rule that names more wins: account over region over transport") {
  RateCard card = FlatCard("a", "2026-01-01", "1");
  const auto add = [&](const char* account, const char* region, const char* transport) {
    PriceRule rule = FlatRule("1");
    if (*account != '\0') rule.account = account;
    if (*region != '\0') rule.region = region;
    if (*transport != '\0') rule.transport = transport;
    card.prices.push_back(rule);
  };
  add("", "", "tls");
  add("", "us1", "");
  add("", "us1", "tls");
  add("acme", "", "");
  add("acme", "", "tls");
  add("acme", "de1", "");
  const auto name = [&](const char* account, const char* region, const char* transport) {
    return RuleName(*FindRule(card, account, region, transport));
  };
  CHECK(name("x", "jp1", "udp") == "default");
  CHECK(name("x", "jp1", "tls") == "transport=tls");
  CHECK(name("x", "us1", "udp") == "region=us1");
  CHECK(name("x", "us1", "tls") == "region=us1,transport=tls");
  CHECK(name("acme", "us1", "udp") == "account=acme");
  CHECK(name("acme", "us1", "tls") == "account=acme,transport=tls");
  CHECK(name("acme", "de1", "tls") == "account=acme,region=de1");
  std::swap(card.prices.front(), card.prices.back());
  CHECK(name("acme", "de1", "tls") == "account=acme,region=de1");
}

TEST_CASE("names are spelt so that two never look the same") {
  CHECK(EncodeName("acme-1_x.y") == "acme-1_x.y");
  CHECK(EncodeName("a/b c%\xff") == "a%2Fb%20c%25%FF");
  PriceRule rule;
  rule.account = "a,region=b";
  CHECK(RuleName(rule) == "account=a%2Cregion%3Db");
}

TEST_CASE("a card prices the bytes that it says") {
  RateCard card = FlatCard("a", "2026-01-01", "1");
  UsageTotals totals;
  totals.payload_bytes = {1, 10};
  totals.wire_bytes = {100, 1000};
  CHECK(card.BillableBytes(totals) == 11);
  card.directions = RateDirections::kClientToPeer;
  CHECK(card.BillableBytes(totals) == 1);
  card.directions = RateDirections::kPeerToClient;
  CHECK(card.BillableBytes(totals) == 10);
  card.basis = RateBasis::kWire;
  CHECK(card.BillableBytes(totals) == 1000);
  card.directions = RateDirections::kBoth;
  CHECK(card.BillableBytes(totals) == 1100);
  totals.wire_bytes = {UINT64_MAX, 1};
  CHECK(!card.BillableBytes(totals));
}

}  // namespace
}  // namespace turnpike
