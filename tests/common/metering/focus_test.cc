// The export of FOCUS, held against a checker that is written from the specification's rules and
// knows nothing of the writer: text in, broken rules out.
#include "common/metering/focus.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <set>
#include <sstream>

#include "tests/common/metering/output_cases.h"
#include "tests/common/metering/random_rates.h"

namespace turnpike {
namespace {

using metering_test::AmountOf;
using metering_test::At;
using metering_test::Dice;
using metering_test::FlatTable;
using metering_test::ParseCsv;
using metering_test::RandomTable;
using metering_test::RandomUsage;
using metering_test::Usage;

using Record = std::map<std::string, std::string>;  // an empty field is null

// Scaled reads a decimal as a multiple of 10^-places; nullopt for anything else, exponents too.
std::optional<Int128> Scaled(const std::string& text, size_t places) {
  static const std::regex kDecimal("(-?)([0-9]+)(\\.([0-9]+))?");
  std::smatch match;
  if (!std::regex_match(text, match, kDecimal) || match[4].str().size() > places) {
    return std::nullopt;
  }
  Int128 value = 0;
  for (const char c : match[2].str() + match[4].str()) value = value * 10 + (c - '0');
  for (size_t i = match[4].str().size(); i < places; ++i) value *= 10;
  return match[1].length() > 0 ? -value : value;
}

// FocusRules checks one file. Every broken rule is a sentence.
class FocusRules {
 public:
  explicit FocusRules(const std::string& csv) {
    const auto rows = ParseCsv(csv);
    REQUIRE(!rows.empty());
    CheckHeader(rows[0]);
    for (size_t i = 1; i < rows.size(); ++i) {
      if (rows[i].size() != rows[0].size()) {
        Break("row " + std::to_string(i) + " has another number of fields than the header");
        continue;
      }
      Record record;
      for (size_t c = 0; c < rows[0].size(); ++c) record[rows[0][c]] = rows[i][c];
      CheckRecord(record);
      records.push_back(std::move(record));
    }
  }

  std::vector<Record> records;
  std::vector<std::string> broken;
  std::map<std::string, Int128> billed;  // of each InvoiceId, in 10^-18

 private:
  void Break(std::string rule) { broken.push_back(std::move(rule)); }

  void CheckHeader(const std::vector<std::string>& header) {
    static const std::set<std::string> kNames = {"BilledCost",        "EffectiveCost",
                                                 "ListCost",          "ContractedCost",
                                                 "BillingAccountId",  "BillingAccountName",
                                                 "BillingCurrency",   "BillingPeriodStart",
                                                 "BillingPeriodEnd",  "ChargePeriodStart",
                                                 "ChargePeriodEnd",   "ChargeCategory",
                                                 "ChargeClass",       "ChargeDescription",
                                                 "PricingQuantity",   "PricingUnit",
                                                 "ProviderName",      "PublisherName",
                                                 "InvoiceIssuerName", "ServiceCategory",
                                                 "ServiceName",       "ConsumedQuantity",
                                                 "ConsumedUnit",      "RegionId",
                                                 "RegionName",        "SkuId",
                                                 "SkuMeter",          "SkuPriceId",
                                                 "ListUnitPrice",     "ContractedUnitPrice",
                                                 "PricingCategory",   "SubAccountId",
                                                 "SubAccountName",    "ChargeFrequency",
                                                 "InvoiceId",         "Tags"};
    for (const std::string& name : kNames) {
      if (std::ranges::count(header, name) != 1) Break("no column " + name);
    }
    bool own = false;
    for (const std::string& name : header) {
      if (!name.starts_with("x_") && !kNames.contains(name)) Break(name + " is not a column of it");
      if (own && !name.starts_with("x_")) Break(name + " stands behind an own column");
      own = own || name.starts_with("x_");
    }
    if (std::set(header.begin(), header.end()).size() != header.size()) Break("a column is double");
  }

  void CheckRecord(const Record& r) {
    for (const char* name :
         {"BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "BillingAccountId",
          "BillingCurrency", "BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart",
          "ChargePeriodEnd", "ChargeCategory", "ProviderName", "PublisherName", "InvoiceIssuerName",
          "ServiceCategory", "ServiceName", "InvoiceId"}) {
      if (r.at(name).empty()) Break(std::string(name) + " is null");
    }
    CheckTimes(r);
    CheckWords(r);
    CheckPrices(r);
    if (!r.at("Tags").empty() && !nlohmann::json::accept(r.at("Tags"))) Break("Tags is not JSON");
  }

  void CheckTimes(const Record& r) {
    static const std::regex kTime(
        "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z");
    for (const char* name :
         {"BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd"}) {
      if (!std::regex_match(r.at(name), kTime)) Break(std::string(name) + " is not a time in UTC");
    }
    // Times of this form sort as text. The ends are exclusive.
    if (r.at("BillingPeriodStart") >= r.at("BillingPeriodEnd") ||
        r.at("ChargePeriodStart") >= r.at("ChargePeriodEnd")) {
      Break("a period is empty");
    }
    if (r.at("ChargePeriodStart") < r.at("BillingPeriodStart") ||
        r.at("ChargePeriodEnd") > r.at("BillingPeriodEnd")) {
      Break("the charge period leaves the billing period");
    }
  }

  void CheckWords(const Record& r) {
    const auto one_of = [&](const char* name, const std::set<std::string>& words) {
      if (!words.contains(r.at(name))) Break(std::string(name) + " is " + r.at(name));
    };
    one_of("ChargeCategory", {"Usage", "Purchase", "Tax", "Credit", "Adjustment"});
    one_of("ChargeClass", {"", "Correction"});
    one_of("ChargeFrequency", {"One-Time", "Recurring", "Usage-Based"});
    one_of("ServiceCategory", {"Networking"});
    one_of("PricingCategory", {"", "Standard"});
    static const std::regex kCurrency("[A-Z]{3}");
    if (!std::regex_match(r.at("BillingCurrency"), kCurrency)) Break("BillingCurrency");
    const bool usage = r.at("ChargeCategory") == "Usage";
    if (usage != (r.at("ChargeFrequency") == "Usage-Based")) Break("a frequency is not of its use");
    for (const char* name : {"ConsumedQuantity", "ConsumedUnit", "RegionId", "RegionName", "SkuId",
                             "SkuMeter", "SkuPriceId", "PricingCategory"}) {
      if (usage && r.at(name).empty()) Break(std::string(name) + " of usage is null");
    }
    if (usage && r.at("ConsumedUnit") != "B") Break("ConsumedUnit is not B");
  }

  void CheckPrices(const Record& r) {
    const auto cost = Scaled(r.at("ContractedCost"), 18);
    const auto billed_cost = Scaled(r.at("BilledCost"), 18);
    if (!cost || !billed_cost || !Scaled(r.at("ListCost"), 18) ||
        !Scaled(r.at("EffectiveCost"), 18)) {
      return Break("a cost is not a decimal");
    }
    billed[r.at("InvoiceId")] += *billed_cost;
    const bool has_quantity = !r.at("PricingQuantity").empty();
    const bool is_priced =
        r.at("ChargeCategory") == "Usage" || r.at("ChargeCategory") == "Purchase";
    if (is_priced && !has_quantity) Break("PricingQuantity is null");
    if (has_quantity != !r.at("PricingUnit").empty()) Break("a PricingUnit has no quantity");
    if (!has_quantity) return;
    // Quantities have at most 9 decimals; a unit price of a minimum charge has more.
    const auto quantity = Scaled(r.at("PricingQuantity"), 9);
    const auto fine = Scaled(r.at("ContractedUnitPrice"), 18);
    const auto price = Scaled(r.at("ContractedUnitPrice"), 9);
    if (!quantity || !fine) return Break("PricingQuantity or ContractedUnitPrice is no decimal");
    const bool exact =
        price ? *quantity * *price == *cost
              : *quantity % 1'000'000'000 == 0 && *quantity / 1'000'000'000 * *fine == *cost;
    if (!exact) Break("PricingQuantity x ContractedUnitPrice is not ContractedCost");
    if (r.at("ConsumedUnit") != "B") return;
    const Int128 unit = r.at("PricingUnit") == "GB" ? 1'000'000'000 : 1'000'000;
    if (*quantity * unit != *Scaled(r.at("ConsumedQuantity"), 9)) Break("quantities differ");
  }
};

std::string Written(const RateTable& table, const std::vector<Invoice>& invoices) {
  ReportScope scope;
  scope.as_of = At("2026-12-01");
  std::ostringstream out;
  WriteFocus(table, scope, invoices, out);
  return out.str();
}

Invoice Rated(const RateTable& table, const std::string& account, std::vector<UsageRow> rows) {
  auto invoice = RateAccount(table, *ParseBillingPeriod("2026-11"), account, std::move(rows));
  REQUIRE_MESSAGE(invoice, invoice.error());
  return *std::move(invoice);
}

TEST_CASE("FOCUS: random charges break no rule, and add up to their invoices") {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    Dice dice(seed);
    const uint64_t atom = seed % 2 == 0 ? 1'000'003 : 999'999'937;
    RateTable table = RandomTable(dice, atom);
    table.publisher = table.invoice_issuer = "issuer";
    std::vector<Invoice> invoices;
    for (const char* account : {"acme", "other", "third"}) {
      invoices.push_back(Rated(table, account, RandomUsage(dice, atom)));
    }
    const FocusRules focus(Written(table, invoices));
    for (const std::string& rule : focus.broken) FAIL_CHECK(rule);
    for (const Invoice& invoice : invoices) {
      const auto billed = focus.billed.find(invoice.id);
      const Int128 sum = billed == focus.billed.end() ? 0 : billed->second;
      CHECK(sum == invoice.total.value());
      const auto adjustments = std::ranges::count_if(focus.records, [&](const Record& r) {
        return r.at("InvoiceId") == invoice.id && r.at("ChargeCategory") == "Adjustment";
      });
      CHECK(adjustments <= 1);
    }
  }
}

TEST_CASE("FOCUS: a row of usage, of a minimum and of rounding") {
  RateTable table = FlatTable("0.4");
  table.publisher = "Maker";
  table.cards[0].minimum = AmountOf("2.001");
  const FocusRules focus(
      Written(table, {Rated(table, "acme", {Usage("2026-11-05", "us1", 1'234'567'890)})}));
  CHECK(focus.broken.empty());
  REQUIRE(focus.records.size() == 3);
  const Record& usage = focus.records[0];
  CHECK(usage.at("BilledCost") == "0.493827156");
  CHECK(usage.at("ChargeCategory") == "Usage");
  CHECK(usage.at("ConsumedQuantity") == "1234567890");
  CHECK(usage.at("PricingQuantity") == "1.23456789");
  CHECK(usage.at("PricingUnit") == "GB");
  CHECK(usage.at("ContractedUnitPrice") == "0.4");
  CHECK(usage.at("SkuMeter") == "Data Transfer");
  CHECK(usage.at("SkuPriceId") == "2026/default/tier-1");
  CHECK(usage.at("PublisherName") == "Maker");
  CHECK(usage.at("Tags") == R"({"transport":"udp"})");
  CHECK(usage.at("x_LineId") == "2026-11/acme/2026/us1/udp/tier-1");
  CHECK(focus.records[1].at("ChargeCategory") == "Purchase");
  CHECK(focus.records[1].at("ContractedCost") == "1.507172844");
  CHECK(focus.records[2].at("ChargeCategory") == "Adjustment");
  CHECK(focus.records[2].at("BilledCost") == "-0.001");
  CHECK(focus.billed.at("2026-11/acme") == AmountOf("2").value());
}

TEST_CASE("FOCUS: a name that a spreadsheet would run is made harmless") {
  const RateTable table = FlatTable("1");
  const FocusRules focus(Written(table, {Rated(table, "=cmd", {Usage("2026-11-05", "@r", 1)})}));
  CHECK(focus.broken.empty());
  CHECK(focus.records[0].at("BillingAccountId") == "'=cmd");
  CHECK(focus.records[0].at("RegionId") == "'@r");
}

TEST_CASE("FOCUS: the checker finds what is wrong") {
  const RateTable table = FlatTable("0.4");
  const std::string good =
      Written(table, {Rated(table, "acme", {Usage("2026-11-05", "us1", 1'000'000'000)})});
  CHECK(FocusRules(good).broken.empty());
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"EUR", "eur"},
           {"EUR", ""},
           {"0.4,0.4,acme", "0.4,0.5,acme"},
           {"0.4,0.4,acme", "0.4,4e-1,acme"},
           {"Usage,,", "Use,,"},
           {"Usage,,", "Usage,Fix,"},
           {",1,GB,", ",,GB,"},
           {",1,GB,", ",1,MB,"},
           {"1000000000,B", "1000000000,GB"},
           {"2026-11-01T00:00:00Z", "2026-11-01"},
           {"2026-12-01T00:00:00Z", "2026-10-01T00:00:00Z"},
           {"Usage-Based", "Monthly"},
           {"\"\"udp\"\"", "udp"},
           {"Networking", "Network"},
           {"x_LineId", "LineId"},
       }) {
    CAPTURE(from);
    CAPTURE(to);
    std::string bad = good;
    REQUIRE(bad.find(from) != std::string::npos);
    bad.replace(bad.find(from), from.size(), to);
    CHECK(!FocusRules(bad).broken.empty());
  }
}

}  // namespace
}  // namespace turnpike
