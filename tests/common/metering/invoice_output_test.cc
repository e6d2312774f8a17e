#include "common/metering/invoice_output.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/common/metering/output_cases.h"
#include "tests/common/metering/rate_tables.h"

namespace turnpike {
namespace {

using metering_test::At;
using metering_test::FlatTable;
using metering_test::ParseCsv;
using metering_test::Usage;

InvoiceDocument Document(const std::string& account, const std::string& region) {
  RateTable table = FlatTable("0.4");
  table.cards[0].free_bytes = 500;
  auto invoice = RateAccount(table, *ParseBillingPeriod("2026-11"), account,
                             {Usage("2026-11-01", region, 2'000'000'000)});
  REQUIRE(invoice);
  InvoiceDocument document{"Relays & Sons", "Billing <Ltd>", {}, *std::move(invoice)};
  document.scope.as_of = At("2026-12-01");
  document.scope.complete = true;
  document.scope.period = {At("2026-11-01"), At("2026-12-01")};
  return document;
}

std::string Written(const InvoiceDocument& document, InvoiceFormat format) {
  std::ostringstream out;
  WriteInvoice(document, format, out);
  return out.str();
}

TEST_CASE("a table for people") {
  const std::string table = Written(Document("acme", "us1"), InvoiceFormat::kTable);
  CHECK(
      table.starts_with("invoice 2026-11/acme\nfrom:   Billing <Ltd>\nto:     acme\n"
                        "period: 2026-11\nrates:  2026\n\nline_id "));
  CHECK(table.find(" 1999999500  1.9999995  GB           0.4  0.7999998  EUR\n") !=
        std::string::npos);
  CHECK(table.find("2026-11/acme/rounding") != std::string::npos);
  CHECK(table.find("total: 0.80 EUR\nperiod: 2026-11-01T00:00:00Z to 2026-12-01T00:00:00Z\n"
                   "as of: 2026-12-01T00:00:00Z, complete\n") != std::string::npos);
  InvoiceDocument empty = Document("acme", "us1");
  empty.invoice.lines.clear();
  empty.invoice.total = Amount(0);
  CHECK(Written(empty, InvoiceFormat::kTable).find("no usage in this period") != std::string::npos);
  CHECK(Written(empty, InvoiceFormat::kTable).ends_with("total: 0.00 EUR\n"));
}

TEST_CASE("CSV: a row for each line, negative amounts as numbers, names harmless") {
  const auto rows = ParseCsv(Written(Document("=acme", "us1"), InvoiceFormat::kCsv));
  REQUIRE(rows.size() == 4);
  CHECK(rows[0].front() == "invoice_id");
  CHECK(rows[0].back() == "complete");
  const std::vector<std::string> rounding = {"2026-11/%3Dacme",
                                             "'=acme",
                                             "2026-11",
                                             "2026-11/%3Dacme/rounding",
                                             "rounding",
                                             "",
                                             "",
                                             "",
                                             "rounding",
                                             "2026-11-01T00:00:00Z",
                                             "2026-12-01T00:00:00Z",
                                             "",
                                             "",
                                             "",
                                             "",
                                             "0.0000002",
                                             "EUR",
                                             "",
                                             "2026-12-01T00:00:00Z",
                                             "true"};
  CHECK(rows[3] == rounding);
  CHECK(rows[2][11] == "1999999500");
  CHECK(rows[2][12] == "1.9999995");
  CHECK(rows[2][14] == "0.4");
  CHECK(rows[2][15] == "0.7999998");
}

TEST_CASE("JSON: amounts are texts, so that no program rounds them") {
  const auto json = nlohmann::json::parse(Written(Document("a\xff", "us1"), InvoiceFormat::kJson));
  CHECK(json["invoice_id"] == "2026-11/a%FF");
  CHECK(json["account"] == "a\\xFF");
  CHECK(json["seller"] == "Relays & Sons");
  CHECK(json["total"] == "0.80");
  CHECK(json["bytes"] == 2'000'000'000);
  CHECK(json["cards"] == nlohmann::json::array({"2026"}));
  CHECK(json["complete"] == true);
  REQUIRE(json["rows"].size() == 3);
  CHECK(json["rows"][1]["amount"] == "0.7999998");
  CHECK(json["rows"][1]["bytes"] == 1'999'999'500);
  CHECK(json["rows"][2]["bytes"] == nullptr);
}

TEST_CASE("formats are known by name") {
  CHECK(ParseInvoiceFormat("html") == InvoiceFormat::kHtml);
  CHECK(ParseInvoiceFormat("pdf").error() ==
        "unknown format \"pdf\": known are table, csv, json and html");
}

}  // namespace
}  // namespace turnpike
