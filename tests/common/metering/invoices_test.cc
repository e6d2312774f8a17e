// Which invoices are shown; billing_corrections_test.cc has those with corrections.
#include "common/metering/invoices.h"

#include <doctest/doctest.h>

#include "tests/common/metering/billing_world.h"

namespace turnpike {
namespace {

using metering_test::BillingWorld;

TEST_CASE("an open month is priced from the ledger, a closed one is as it was closed") {
  BillingWorld world;
  const RateTable rates = metering_test::FlatTable("0.50");
  world.Use("acme", 2'000'000'000, "2026-10-20");
  world.Now("2026-11-05");
  const auto read = [&](std::optional<std::string> account) {
    return ReadInvoices(world.directory.path(), rates, *ParseBillingPeriod("2026-10"), account);
  };
  CHECK(!read(std::nullopt)->frozen);
  CHECK(FormatAmount(read("acme")->invoices.at(0).total) == "1");
  const Invoice before = read("acme")->invoices.at(0);
  world.request.rates = &rates;
  REQUIRE(world.Close("2026-10"));
  world.Use("acme", 2'000'000'000, "2026-10-21");
  world.Use("late", 2'000'000'000, "2026-10-21");
  world.Now("2026-11-06");
  const auto frozen = read(std::nullopt);
  REQUIRE_MESSAGE(frozen, frozen.error());
  CHECK(frozen->frozen);
  REQUIRE(frozen->invoices.size() == 1);
  CHECK(frozen->invoices[0].lines == before.lines);
  CHECK(frozen->invoices[0].total == before.total);
  CHECK(frozen->invoices[0].bytes == before.bytes);
  CHECK(read("late")->invoices.at(0).lines.empty());
  CHECK(read("nobody").error().find("knows no account") != std::string::npos);
}

}  // namespace
}  // namespace turnpike
