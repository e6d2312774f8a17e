// Costs in usage reports.
#include <doctest/doctest.h>

#include <sstream>

#include "common/metering/output.h"
#include "common/metering/report.h"
#include "tests/common/metering/billing_world.h"

namespace turnpike {
namespace {

using metering_test::BillingWorld;

TEST_CASE("costs of groups add up to the invoices, less minimums and rounding") {
  BillingWorld world;
  world.Use("acme", 1'500'000'000, "2026-10-20");
  world.Use("acme", 3'000'000'000, "2026-10-21");
  world.Use("umbrella", 1'000'000'001, "2026-10-21");
  world.Use("acme", 500'000'000, "2026-11-02");
  world.Now("2026-11-20");
  RateTable rates = metering_test::FlatTable("0.50");
  rates.cards[0].free_bytes = 1'000'000'000;
  rates.cards[0].prices[0].tiers = {{1'000'000'000, metering_test::PriceOf("0.50")},
                                    {std::nullopt, metering_test::PriceOf("0.20")}};
  ReportQuery query;
  query.directory = world.directory.path();
  query.by = {ReportKey::kAccount, ReportKey::kDay};
  query.rates = &rates;
  const auto costs = [&] {
    const auto report = UsageReport(query);
    REQUIRE_MESSAGE(report, report.error());
    CHECK(report->currency == "EUR");
    std::string text;
    for (const ReportRow& row : report->rows) {
      text += row.account + " " + row.day + " " + FormatAmount(row.cost) + "\n";
    }
    return text;
  };
  CHECK(costs() ==
        "acme 2026-10-20 0.25\n"
        "acme 2026-10-21 0.75\n"
        "acme 2026-11-02 0\n"
        "umbrella 2026-10-21 0.0000000005\n");
  // A share of a month is priced where it stands in the month.
  query.period.from = metering_test::At("2026-10-21");
  query.period.to = metering_test::At("2026-11-01");
  CHECK(costs() ==
        "acme 2026-10-21 0.75\n"
        "umbrella 2026-10-21 0.0000000005\n");
  std::ostringstream csv;
  WriteReport(*UsageReport(query), ReportFormat::kCsv, csv);
  CHECK(csv.str().find(",cost,currency,as_of,complete\r\n") != std::string::npos);
  CHECK(csv.str().find(",0.75,EUR,") != std::string::npos);
  std::ostringstream table;
  WriteReport(*UsageReport(query), ReportFormat::kTable, table);
  CHECK(table.str().find("billable bytes (4.000 GB), 0.7500000005 EUR\n") != std::string::npos);
  query.by = {ReportKey::kEdge};
  CHECK(UsageReport(query).error().starts_with("usage by edge has no price"));
}

}  // namespace
}  // namespace turnpike
