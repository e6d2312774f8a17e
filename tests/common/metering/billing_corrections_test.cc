// Late usage of invoiced months: what it costs, and on which invoice that stands.
#include "common/metering/billing_corrections.h"

#include <doctest/doctest.h>

#include <sstream>

#include "common/metering/focus.h"
#include "common/metering/invoice_output.h"
#include "common/metering/invoices.h"
#include "tests/common/metering/billing_world.h"
#include "tests/common/metering/output_cases.h"

namespace turnpike {
namespace {

using metering_test::AmountOf;
using metering_test::At;
using metering_test::BillingWorld;
using metering_test::ParseCsv;

// TieredTable: 1 GB is free, the next costs 0.50, all others 0.20; 1.00 at least.
RateTable TieredTable() {
  RateTable table = metering_test::FlatTable("0.50");
  RateCard& card = table.cards[0];
  card.free_bytes = 1'000'000'000;
  card.minimum = AmountOf("1.00");
  card.prices[0].tiers = {{1'000'000'000, metering_test::PriceOf("0.50")},
                          {std::nullopt, metering_test::PriceOf("0.20")}};
  return table;
}

// Books is a world whose months are closed by one table of rates.
struct Books : BillingWorld {
  RateTable table = TieredTable();

  Books() {
    request.rates = &table;
    request.rates_hash = "abc";
  }

  InvoiceSet Invoices(const std::string& month) const {
    auto set = ReadInvoices(directory.path(), table, *ParseBillingPeriod(month), std::nullopt);
    REQUIRE_MESSAGE(set, set.error());
    return std::move(*set);
  }

  // Lines renders an account's invoice.
  std::string Lines(const std::string& month, const std::string& account) const {
    std::string text;
    for (const Invoice& invoice : Invoices(month).invoices) {
      if (invoice.account != account) continue;
      for (const InvoiceLine& line : invoice.lines) {
        text += line.id + " " + (line.is_credit ? "-" : "") + std::to_string(line.bytes) + " " +
                FormatAmount(line.amount) + "\n";
      }
      text += "total " + FormatAmount(invoice.total, 2);
    }
    return text;
  }
};

TEST_CASE("a correction of an invoiced month is priced on the next invoice, as if known in time") {
  Books books;
  books.Use("acme", 1'500'000'000, "2026-10-20");
  books.Now("2026-11-05");
  REQUIRE(books.Close("2026-10"));
  const std::string october =
      "2026-10/acme/2026/us1/udp/allowance 1000000000 0\n"
      "2026-10/acme/2026/us1/udp/tier-1 500000000 0.25\n"
      "2026-10/acme/minimum 0 0.75\n"
      "total 1.00";
  CHECK(books.Lines("2026-10", "acme") == october);
  books.Use("acme", 3'000'000'000, "2026-10-03");  // before all that was known
  books.Use("acme", 1'000, "2026-11-02");
  books.Now("2026-11-06");
  const auto corrected = CorrectPeriods(books.request);
  REQUIRE_MESSAGE(corrected, corrected.error());
  CHECK(corrected->corrections == 1);
  CHECK(corrected->priced == 3);
  // 4.5 GB cost 1 × 0.50 + 2.5 × 0.20 = 1.00: nothing more than the minimum that was charged.
  const std::string november =
      "2026-11/acme/2026/us1/udp/allowance 1000 0\n"
      "2026-11/acme/minimum 0 1\n"
      "2026-11/acme/correction/2026-10/acme/2026/us1/udp/tier-1 500000000 0.25\n"
      "2026-11/acme/correction/2026-10/acme/2026/us1/udp/tier-2 2500000000 0.5\n"
      "2026-11/acme/correction/2026-10/acme/minimum 0 -0.75\n"
      "total 1.00";
  CHECK(books.Lines("2026-11", "acme") == november);
  CHECK(books.Lines("2026-10", "acme") == october);  // an invoice is never edited
  // The month that has them closes with them; nothing is priced twice.
  CHECK(CorrectPeriods(books.request)->priced == 0);
  books.Now("2026-12-05");
  const auto closed = books.Close("2026-11");
  REQUIRE_MESSAGE(closed, closed.error());
  CHECK(closed->priced == 0);
  CHECK(books.Invoices("2026-11").frozen);
  CHECK(books.Lines("2026-11", "acme") == november);
  CHECK(books.Verify() == "");
}

TEST_CASE("more late usage is priced beyond what earlier corrections charged") {
  Books books;
  books.Use("acme", 2'000'000'000, "2026-10-20");
  books.Use("umbrella", 5'000'000'000, "2026-10-20");
  books.Now("2026-11-05");
  REQUIRE(books.Close("2026-10"));
  books.Use("acme", 4'000'000'000, "2026-10-21");
  books.Now("2026-12-05");
  REQUIRE(books.Close("2026-11"));  // acme has nothing but the correction in it
  CHECK(books.Lines("2026-11", "acme") ==
        "2026-11/acme/correction/2026-10/acme/2026/us1/udp/tier-2 4000000000 0.8\n"
        "2026-11/acme/correction/2026-10/acme/minimum 0 -0.5\n"
        "total 0.30");
  CHECK(books.Lines("2026-11", "umbrella").empty());
  books.Use("acme", 1'000'000'000, "2026-10-22");
  books.Now("2026-12-06");
  REQUIRE(CorrectPeriods(books.request));
  CHECK(books.Lines("2026-12", "acme") ==
        "2026-12/acme/correction/2026-10/acme/2026/us1/udp/tier-2 1000000000 0.2\n"
        "total 0.20");
  CHECK(books.Verify() == "");
}

TEST_CASE("what is taken back is a negative line, and FOCUS and the invoice agree") {
  Books books;
  books.table.cards[0].minimum = Amount();
  books.Use("acme", 3'333'333'333, "2026-10-20");
  books.Now("2026-11-05");
  REQUIRE(books.Close("2026-10"));
  for (const char* table : {"usage_bucket", "usage_part", "session", "usage_total"}) {
    metering_test::Query(books.directory.path(),
                         "UPDATE " + std::string(table) + " SET client_to_peer_bytes = 3000000000");
  }
  books.request.allow_less = true;
  const auto corrected = CorrectPeriods(books.request);
  REQUIRE_MESSAGE(corrected, corrected.error());
  const InvoiceSet set = books.Invoices("2026-11");
  REQUIRE(set.invoices.size() == 1);
  const Invoice& invoice = set.invoices[0];
  CHECK(FormatAmount(invoice.total) == "-0.07");
  std::ostringstream csv;
  WriteFocus(books.table, set.scope, set.invoices, csv);
  const auto rows = ParseCsv(csv.str());
  const auto column = [&](const std::string& name) {
    return static_cast<size_t>(std::ranges::find(rows[0], name) - rows[0].begin());
  };
  Int128 billed = 0;
  for (size_t i = 1; i < rows.size(); ++i) {
    billed += *ParseDecimal(rows[i][column("BilledCost")], kAmountDecimals);
    CHECK(rows[i][column("InvoiceId")] == "2026-11/acme");
  }
  CHECK(billed == invoice.total.value());
  CHECK(rows[1][column("ChargeClass")] == "Correction");
  CHECK(rows[1][column("BillingPeriodStart")] == "2026-11-01T00:00:00Z");
  CHECK(rows[1][column("ChargePeriodStart")] == "2026-10-01T00:00:00Z");
  CHECK(rows[1][column("PricingQuantity")] == "-0.333333333");
  CHECK(rows[1][column("ConsumedQuantity")] == "-333333333");
  CHECK(rows[1][column("x_Corrects")] == "2026-10/acme/2026/us1/udp/tier-2");
  std::ostringstream table;
  WriteInvoice({"Seller", "Issuer", set.scope, invoice}, InvoiceFormat::kCsv, table);
  CHECK(table.str().find(",-333333333,-0.333333333,GB,0.2,-0.0666666666,EUR,") !=
        std::string::npos);
}

TEST_CASE("corrections go by the prices that made the invoice, or are refused whole") {
  Books books;
  books.Use("acme", 3'000'000'000, "2026-10-20");
  books.Now("2026-11-05");
  REQUIRE(books.Close("2026-10"));
  books.Use("acme", 1'000'000'000, "2026-10-21");
  books.Now("2026-11-06");
  const std::string before = books.Entries();
  books.table.cards[0].prices[0].tiers[1].price = metering_test::PriceOf("0.30");
  const auto corrected = CorrectPeriods(books.request);
  REQUIRE(!corrected);
  CHECK(
      corrected.error() ==
      "2026-10/acme/2026/us1/udp/tier-2 was invoiced at 0.2 and has the price 0.3 in these rates: "
      "correct with the rates that made the invoice");
  CHECK(books.Entries() == before);
  // Bytes alone can be booked; a later command prices them.
  books.request.rates = nullptr;
  REQUIRE(CorrectPeriods(books.request));
  CHECK(ReadPeriodBooks(books.directory.path(), *ParseBillingPeriod("2026-11"))->unpriced_bytes ==
        1'000'000'000);
  books.table = TieredTable();
  books.request.rates = &books.table;
  CHECK(CorrectPeriods(books.request)->priced == 2);  // the tier, and less of the minimum
  CHECK(ReadPeriodBooks(books.directory.path(), *ParseBillingPeriod("2026-11"))->unpriced_bytes ==
        0);
}

TEST_CASE("a month that was closed without rates gets its invoices later, unless usage came late") {
  Books books;
  books.request.rates = nullptr;
  books.Use("acme", 3'000'000'000, "2026-09-20");
  books.Use("acme", 3'000'000'000, "2026-10-20");
  books.Now("2026-11-05");
  REQUIRE(books.Close("2026-09"));
  REQUIRE(books.Close("2026-10"));
  CHECK(!books.Invoices("2026-10").frozen);
  books.request.rates = &books.table;
  const auto later = books.Close("2026-10");
  REQUIRE_MESSAGE(later, later.error());
  CHECK(later->was_closed);
  CHECK(later->invoices == 1);
  CHECK(books.Invoices("2026-10").frozen);
  CHECK(books.Verify() == "");
  CHECK(books.Close("2026-10")->invoices == 0);
  books.Use("acme", 1, "2026-09-20");
  books.Now("2026-11-06");
  const auto late = books.Close("2026-09");
  REQUIRE(!late);
  CHECK(late.error().starts_with("2026-09 was closed without --rates, and usage came after that"));
}

}  // namespace
}  // namespace turnpike
