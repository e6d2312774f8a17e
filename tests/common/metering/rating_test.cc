#include "common/metering/rating.h"

#include <doctest/doctest.h>

#include "tests/common/metering/rate_tables.h"

namespace turnpike {
namespace {

using metering_test::AmountOf;
using metering_test::At;
using metering_test::FlatCard;
using metering_test::FlatRule;
using metering_test::FlatTable;
using metering_test::PriceOf;
using metering_test::Usage;

constexpr uint64_t kGb = 1'000'000'000;

Invoice Rate(const RateTable& table, std::vector<UsageRow> rows,
             const ChargeVisitor& visitor = {}) {
  REQUIRE(CheckRates(table).empty());
  auto invoice =
      RateAccount(table, *ParseBillingPeriod("2026-11"), "acme", std::move(rows), visitor);
  REQUIRE_MESSAGE(invoice, invoice.error());
  Int128 sum = 0;
  for (const InvoiceLine& line : invoice->lines) sum += line.amount.value();
  CHECK(sum == invoice->total.value());
  return *std::move(invoice);
}

// Shown is an invoice as lines of id, bytes, price and amount, and the total.
std::string Shown(const Invoice& invoice) {
  std::string text;
  for (const InvoiceLine& line : invoice.lines) {
    text += line.id.substr(invoice.id.size() + 1) + " " + std::to_string(line.bytes) + " " +
            FormatPrice(line.price) + " " + FormatAmount(line.amount) + "\n";
  }
  return text + FormatAmount(invoice.total, invoice.decimals);
}

TEST_CASE("one price: a line for each region and transport, rounded once") {
  UsageRow tls = Usage("2026-11-02", "us1", 1);
  tls.transport = "tls";
  const Invoice invoice =
      Rate(FlatTable("0.4"), {Usage("2026-11-30T23:45Z", "us1", 2 * kGb, kGb),
                              Usage("2026-11-01", "de1", 1), tls, Usage("2026-11-03", "us1", 1)});
  CHECK(invoice.id == "2026-11/acme");
  CHECK(Shown(invoice) ==
        "2026/de1/udp/tier-1 1 0.4 0.0000000004\n"
        "2026/us1/tls/tier-1 1 0.4 0.0000000004\n"
        "2026/us1/udp/tier-1 3000000001 0.4 1.2000000004\n"
        "rounding 0 0 -0.0000000012\n"
        "1.20");
  CHECK(invoice.bytes == 3 * kGb + 3);
  CHECK(invoice.lines[0].sku_price_id == "2026/default/tier-1");
  CHECK(invoice.lines[0].from == At("2026-11-01"));
  CHECK(invoice.lines[0].to == At("2026-12-01"));
}

TEST_CASE("graduated tiers price each byte by its place, volume tiers all by the total") {
  RateTable table = FlatTable("1");
  table.cards[0].prices[0].tiers = {
      {kGb, PriceOf("0.5")}, {3 * kGb, PriceOf("0.25")}, {std::nullopt, PriceOf("0.125")}};
  const std::vector<UsageRow> rows = {Usage("2026-11-01", "us1", kGb / 2),
                                      Usage("2026-11-02", "de1", 3 * kGb),
                                      Usage("2026-11-03", "us1", kGb)};
  CHECK(Shown(Rate(table, rows)) ==
        "2026/de1/udp/tier-1 500000000 0.5 0.25\n"
        "2026/de1/udp/tier-2 2000000000 0.25 0.5\n"
        "2026/de1/udp/tier-3 500000000 0.125 0.0625\n"
        "2026/us1/udp/tier-1 500000000 0.5 0.25\n"
        "2026/us1/udp/tier-3 1000000000 0.125 0.125\n"
        "rounding 0 0 0.0025\n"
        "1.19");
  table.cards[0].prices[0].mode = TierMode::kVolume;
  CHECK(Shown(Rate(table, rows)) ==
        "2026/de1/udp/tier-3 3000000000 0.125 0.375\n"
        "2026/us1/udp/tier-3 1500000000 0.125 0.1875\n"
        "rounding 0 0 -0.0025\n"
        "0.56");
}

TEST_CASE("a tier holds its up_to-th byte, and not the next") {
  RateTable table = FlatTable("1");
  table.cards[0].prices[0].tiers = {{10, PriceOf("2")}, {std::nullopt, PriceOf("1")}};
  for (const TierMode mode : {TierMode::kGraduated, TierMode::kVolume}) {
    table.cards[0].prices[0].mode = mode;
    CHECK(Rate(table, {Usage("2026-11-01", "us1", 10)}).lines[0].tier == 1);
  }
  CHECK(Rate(table, {Usage("2026-11-01", "us1", 11)}).lines[0].tier == 2);
  table.cards[0].prices[0].mode = TierMode::kGraduated;
  CHECK(Rate(table, {Usage("2026-11-01", "us1", 11)}).lines[1].bytes == 1);
}

TEST_CASE("the allowance takes the first bytes, and tiers count those beyond it") {
  RateTable table = FlatTable("1");
  table.cards[0].free_bytes = kGb;
  table.cards[0].prices[0].tiers = {{kGb, PriceOf("0.5")}, {std::nullopt, PriceOf("0.25")}};
  CHECK(Shown(Rate(table,
                   {Usage("2026-11-02", "de1", 2 * kGb), Usage("2026-11-01", "us1", kGb / 4)})) ==
        "2026/de1/udp/allowance 750000000 0 0\n"
        "2026/de1/udp/tier-1 1000000000 0.5 0.5\n"
        "2026/de1/udp/tier-2 250000000 0.25 0.0625\n"
        "2026/us1/udp/allowance 250000000 0 0\n"
        "rounding 0 0 -0.0025\n"
        "0.56");
}

TEST_CASE("a card that changes within the period splits lines; tiers and allowance go on") {
  RateTable table = FlatTable("1");
  table.cards.push_back(FlatCard("mid", "2026-11-10T12:15Z", "2"));
  for (RateCard& card : table.cards) {
    card.prices[0].tiers.insert(card.prices[0].tiers.begin(), {2 * kGb, PriceOf("4")});
  }
  table.cards[0].free_bytes = kGb;
  table.cards[1].free_bytes = 2 * kGb;
  const Invoice invoice = Rate(table, {Usage("2026-11-10T12:00Z", "us1", 2 * kGb),
                                       Usage("2026-11-10T12:15Z", "us1", 4 * kGb)});
  CHECK(Shown(invoice) ==
        "2026/us1/udp/allowance 1000000000 0 0\n"
        "2026/us1/udp/tier-1 1000000000 4 4\n"
        "mid/us1/udp/allowance 1000000000 0 0\n"
        "mid/us1/udp/tier-1 1000000000 4 4\n"
        "mid/us1/udp/tier-2 2000000000 2 4\n"
        "12.00");
  CHECK(invoice.lines[1].to == At("2026-11-10T12:15Z"));
  CHECK(invoice.lines[2].from == At("2026-11-10T12:15Z"));
  CHECK(invoice.lines[2].to == At("2026-12-01"));
}

TEST_CASE("the minimum is charged where there is usage, even if that is free") {
  RateTable table = FlatTable("1");
  table.cards[0].free_bytes = kGb;
  table.cards[0].minimum = AmountOf("5");
  CHECK(Shown(Rate(table, {})) == "0.00");
  CHECK(Shown(Rate(table, {Usage("2026-11-01", "us1", 7)})) ==
        "2026/us1/udp/allowance 7 0 0\nminimum 0 0 5\n5.00");
  CHECK(Shown(Rate(table, {Usage("2026-11-01", "us1", 2 * kGb + kGb / 8)})) ==
        "2026/us1/udp/allowance 1000000000 0 0\n"
        "2026/us1/udp/tier-1 1125000000 1 1.125\nminimum 0 0 3.875\n5.00");
  CHECK(Shown(Rate(table, {Usage("2026-11-01", "us1", 7 * kGb)})) ==
        "2026/us1/udp/allowance 1000000000 0 0\n2026/us1/udp/tier-1 6000000000 1 6\n6.00");
}

TEST_CASE("currencies round to their own decimals, MB are 10^6 bytes") {
  RateTable table = FlatTable("0.0005");
  table.cards[0].unit = RateUnit::kMb;
  const std::vector<UsageRow> rows = {Usage("2026-11-01", "us1", 2'469'135'801)};
  CHECK(FormatAmount(Rate(table, rows).total, 2) == "1.23");
  table.currency = "JPY";
  CHECK(FormatAmount(Rate(table, rows).total) == "1");
  table.currency = "KWD";
  const Invoice invoice = Rate(table, rows);
  CHECK(invoice.decimals == 3);
  CHECK(Shown(invoice) ==
        "2026/us1/udp/tier-1 2469135801 0.0005 1.2345679005\nrounding 0 0 0.0004320995\n1.235");
}

TEST_CASE("charges add up to the lines and tell labels apart") {
  RateTable table = FlatTable("1");
  table.cards[0].prices[0].tiers = {{10, PriceOf("2")}, {std::nullopt, PriceOf("1")}};
  UsageRow web = Usage("2026-11-01", "us1", 8);
  web.label = "web";
  UsageRow app = Usage("2026-11-01", "us1", 4);
  app.label = "app";
  std::string seen;
  Rate(table, {web, app}, [&](const UsageRow& row, const Charge& charge) {
    seen +=
        row.label + " " + std::to_string(charge.bytes) + " " + FormatAmount(charge.amount) + "\n";
  });
  CHECK(seen == "app 4 0.000000008\nweb 6 0.000000012\nweb 2 0.000000002\n");
}

TEST_CASE("names that hold a slash cannot forge another line") {
  RateTable table = FlatTable("1");
  const auto invoice =
      RateAccount(table, *ParseBillingPeriod("2026-11"), "a/b", {Usage("2026-11-01", "us/1", 1)});
  REQUIRE(invoice);
  CHECK(invoice->lines[0].id == "2026-11/a%2Fb/2026/us%2F1/udp/tier-1");
}

TEST_CASE("what cannot be rated is said") {
  const RateTable table = FlatTable("9000000000");
  const auto error = [&](const char* month, std::vector<UsageRow> rows) {
    const auto invoice = RateAccount(table, *ParseBillingPeriod(month), "acme", std::move(rows));
    return invoice ? "" : invoice.error();
  };
  CHECK(error("2025-12", {}).find("the rates do not cover 2025-12: cards[0].effective_from") == 0);
  CHECK(error("2026-11", {Usage("2026-12-01", "us1", 1)}) ==
        "cannot rate acme in 2026-11: usage at 2026-12-01T00:00:00Z is of another period");
  const uint64_t half = uint64_t{1} << 63;
  CHECK(error("2026-11", {Usage("2026-11-01", "us1", half), Usage("2026-11-02", "us1", half)}) ==
        "cannot rate acme in 2026-11: more bytes than 64 bits count");
  CHECK(error("2026-11", {Usage("2026-11-01", "us1", half, half - 1)}) ==
        "cannot rate acme in 2026-11: more money than 10^20 EUR");
}

TEST_CASE("billing periods are months, UTC") {
  for (const char* text : {"", "2026", "2026-13", "2026-1", "2026-11-01", "november", "0001-01"}) {
    CAPTURE(std::string(text));
    CHECK(!ParseBillingPeriod(text));
  }
  CHECK(BillingPeriodOf(At("2028-02-29T23:59:59Z")).name == "2028-02");
  const auto period = ParseBillingPeriod("2026-12");
  REQUIRE(period);
  CHECK(period->from == At("2026-12-01"));
  CHECK(period->to == At("2027-01-01"));
  CHECK(BillingPeriodOf(At("2026-12-31T23:59:59Z")) == *period);
  for (const char* bad : {"", "2026", "2026-13", "2026-1", "2026-11-01", "11-2026", "2026-11-"}) {
    CAPTURE(bad);
    CHECK(!ParseBillingPeriod(bad));
  }
  CHECK(ParseBillingPeriod("may").error() == "\"may\" is not a month; write it like 2026-11");
}

}  // namespace
}  // namespace turnpike
