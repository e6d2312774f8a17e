#include "config/rates.h"

#include <doctest/doctest.h>

#include "tests/support/tree.h"

namespace turnpike::config {
namespace {

// Problems returns what is wrong with `text`, one problem a line; empty when nothing is.
std::string Problems(std::string_view text, const std::optional<RatedTime>& time = {}) {
  const auto rates = ParseRates(text, "rates.yaml", time);
  std::string lines;
  if (rates) return lines;
  for (const Problem& problem : rates.error()) lines += problem.ToString() + "\n";
  return lines;
}

// With returns a file of rates whose one card holds `members`.
std::string With(std::string_view members) {
  return "currency: EUR\nseller: {name: Example}\nregions: [us1]\ncards:\n"
         "  - id: a\n    effective_from: 2026-01-01\n    " +
         std::string(members) + "\n";
}

constexpr std::string_view kFlat = "prices: [{price: 0.1}]";

TEST_CASE("the example that ships is a table of rates") {
  const auto rates = LoadRates((SourceDir() / "config/rates.yaml").string());
  for (const Problem& problem : rates ? std::vector<Problem>() : rates.error()) {
    FAIL_CHECK(problem.ToString());
  }
  REQUIRE(rates);
  CHECK(rates->currency == "EUR");
  CHECK(rates->seller == "Example Relay Ltd");
  CHECK(rates->publisher == rates->seller);
  CHECK(rates->invoice_issuer == rates->seller);
  CHECK(rates->regions == std::vector<std::string>{"us1", "de1", "jp1"});
  REQUIRE(rates->cards.size() == 1);
  const RateCard& card = rates->cards[0];
  CHECK(card.free_bytes == 1'000'000'000);
  CHECK(FormatAmount(card.minimum) == "5");
  REQUIRE(card.prices.size() == 4);
  CHECK(!card.prices[0].region);
  REQUIRE(card.prices[0].tiers.size() == 3);
  CHECK(card.prices[0].tiers[0] == Tier{100'000'000'000, Price(110'000'000)});
  CHECK(card.prices[0].tiers[2] == Tier{std::nullopt, Price(70'000'000)});
  CHECK(card.prices[2].region == "jp1");
  CHECK(card.prices[2].transport == "tls");
  CHECK(card.prices[3].account == "acme");
  CHECK(card.prices[3].mode == TierMode::kVolume);
}

TEST_CASE("every key of a card is read") {
  const auto rates = ParseRates(
      "currency: JPY\nseller: {name: A, publisher: B, invoice_issuer: C}\ncards:\n"
      "  - {id: x, effective_from: 2026-01-01T12:15Z, effective_to: 2026-02-01, unit: MB, "
      "basis: wire, directions: peer_to_client, free: 0.5, minimum: 100.25, "
      "prices: [{price: 0.000000001, account: '*'}, {transport: tls, tiers: [{up_to: 0.000001, "
      "price: 2}, {price: 1}]}]}\n",
      "rates.yaml");
  REQUIRE(rates);
  CHECK(rates->publisher == "B");
  CHECK(rates->invoice_issuer == "C");
  const RateCard& card = rates->cards.at(0);
  CHECK(FormatRfc3339(card.effective_from) == "2026-01-01T12:15:00Z");
  CHECK(FormatRfc3339(*card.effective_to) == "2026-02-01T00:00:00Z");
  CHECK(card.unit == RateUnit::kMb);
  CHECK(card.basis == RateBasis::kWire);
  CHECK(card.directions == RateDirections::kPeerToClient);
  CHECK(card.free_bytes == 500'000);
  CHECK(FormatAmount(card.minimum) == "100.25");
  CHECK(card.prices[0].tiers[0].price == Price(1));
  CHECK(card.prices[1].tiers[0].up_to == 1);
  CHECK(card.prices[1].tiers[0].price == Price(2'000'000'000));
}

TEST_CASE("problems come with file, line, key, and what would be right") {
  struct Row {
    std::string members, problem;
  };
  for (const Row& row : std::vector<Row>{
           {"unit: GiB\n    prices: [{price: 1}]",
            "rates.yaml:7: cards[0].unit: `GiB` is not one of GB, MB; 1 GiB is 1.073741824 GB: "
            "convert the price\n"},
           {"basis: bytes\n    prices: [{price: 1}]",
            "rates.yaml:7: cards[0].basis: `bytes` is not one of payload, wire\n"},
           {"free: -1\n    prices: [{price: 1}]",
            "rates.yaml:7: cards[0].free: `-1` is negative; write 0 or more\n"},
           {"free: 0.0000000001\n    prices: [{price: 1}]",
            "rates.yaml:7: cards[0].free: `0.0000000001` has more than 9 decimals\n"},
           {"minimum: ten\n    prices: [{price: 1}]",
            "rates.yaml:7: cards[0].minimum: `ten` is not a decimal number; write it like 12 or "
            "0.0004\n"},
           {"minimum: -1\n    prices: [{price: 1}]",
            "rates.yaml:7: cards[0].minimum: is negative; write 0 or more\n"},
           {"prices:\n      - {price: 1}\n      - {region: us2, price: 1}",
            "rates.yaml:9: cards[0].prices[1].region: `us2` is not one of `regions` (us1); add it "
            "there, or mend it\n"},
           {"prices:\n      - {price: -0.1}",
            "rates.yaml:8: cards[0].prices[0].price: `-0.1` is negative; write 0 or more\n"},
           {"prices:\n      - {price: 1e3}",
            "rates.yaml:8: cards[0].prices[0].price: `1e3` is not a decimal number; write it like "
            "12 or 0.0004\n"},
           {"prices:\n      - {price: 99999999999}",
            "rates.yaml:8: cards[0].prices[0].price: `99999999999` is too large; at most "
            "9223372036.854775807\n"},
           {"prices:\n      - {price: 1, tiers: [{price: 1}]}",
            "rates.yaml:8: cards[0].prices[0]: has both price and tiers; write one of them\n"},
           {"prices:\n      - {region: '*'}",
            "rates.yaml:8: cards[0].prices[0]: has no price; write price: or tiers:\n"},
           {"prices:\n      - tiers:\n          - {up_to: 2, price: 1}\n"
            "          - {up_to: 1, price: 1}\n          - {price: 1}",
            "rates.yaml:10: cards[0].prices[0].tiers[1].up_to: is not above the tier before it; "
            "sort tiers by up_to\n"},
           {"prices:\n      - {prise: 1}",
            "rates.yaml:8: cards[0].prices[0]: unknown key `prise`; known here: account, region, "
            "transport, price, tiers, tier_mode\n"},
           {"prices: 5",
            "rates.yaml:7: cards[0].prices: is not a list; begin each item with a dash\n"},
           {"effective_from: 2026-02-01\n    prices: [{price: 1}]",
            "rates.yaml:7: cards[0].effective_from: stands here a second time, after line 6; "
            "remove one of the two\n"},
           {"effective_to: May\n    prices: [{price: 1}]",
            "rates.yaml:7: cards[0].effective_to: `May` is not a time; write a date, 2026-11-01, "
            "or 2026-11-01T12:15Z\n"},
           {"free: [1]\n    prices: [{price: 1}]",
            "rates.yaml:7: cards[0].free: is not one value; write it behind the colon\n"},
       }) {
    CAPTURE(row.members);
    CHECK(Problems(With(row.members)) == row.problem);
  }
  CHECK(Problems(With(kFlat)).empty());
}

TEST_CASE("what is missing is named once") {
  CHECK(Problems("cards: []\n") ==
        "rates.yaml:1: currency: is missing; write currency: and a code such as EUR\n"
        "rates.yaml:1: seller: is missing; write seller: and a section with a name\n"
        "rates.yaml:1: cards: is empty; write one card at least\n");
  CHECK(Problems("currency: EUR\nseller: Me\ncards: [{id: a, effective_from: 2026-01-01}]\n") ==
        "rates.yaml:2: seller: is a section; write its keys below it, indented\n"
        "rates.yaml:3: cards[0].prices: is missing; write prices: and a list of prices\n");
  CHECK(Problems("").find("the file says nothing") != std::string::npos);
  CHECK(Problems("currency: [").find("not readable as YAML") != std::string::npos);
}

TEST_CASE("cards that overlap or leave a gap are refused with the line") {
  const std::string two =
      "currency: EUR\nseller: {name: Example}\ncards:\n"
      "  - {id: a, effective_from: 2026-01-01, effective_to: 2026-06-01, prices: [{price: 1}]}\n"
      "  - id: b\n    prices: [{price: 1}]\n    effective_from: ";
  CHECK(Problems(two + "2026-06-01").empty());
  CHECK(Problems(two + "2026-05-31")
            .starts_with("rates.yaml:7: cards[1].effective_from: 2026-05-31T00:00:00Z overlaps "
                         "card a, which holds"));
  CHECK(Problems(two + "2026-06-02")
            .starts_with("rates.yaml:7: cards[1].effective_from: leaves a gap: card a ends at "));
  const WallTime start = *ParseDate("2026-01-01");
  CHECK(Problems(With(kFlat), RatedTime{start, start + std::chrono::days(31)}).empty());
  CHECK(Problems(With(kFlat), RatedTime{start - std::chrono::days(31), start}) ==
        "rates.yaml:6: cards[0].effective_from: leaves a gap: no card is in force from "
        "2025-12-01T00:00:00Z to 2026-01-01T00:00:00Z; begin earlier, or add a card for that "
        "time\n");
}

TEST_CASE("a file that is not there is named") {
  const auto rates = LoadRates("/nonexistent/rates.yaml");
  REQUIRE(!rates);
  CHECK(rates.error()[0].ToString() ==
        "/nonexistent/rates.yaml: cannot be read: No such file or directory");
}

}  // namespace
}  // namespace turnpike::config
