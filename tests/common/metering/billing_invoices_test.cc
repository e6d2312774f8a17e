#include "common/metering/billing_invoices.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/common/metering/billing_world.h"

namespace turnpike {
namespace {

using metering_test::BillingWorld;
using metering_test::FlatTable;

TEST_CASE("closing with rates freezes every line of every invoice, and its total") {
  BillingWorld world;
  world.Use("acme", 1'234'567'890, "2026-10-20");
  world.Use("umbrella", 2'000'000'000, "2026-10-21");
  world.world.Begin("silent");  // nothing to pay for
  world.Now("2026-12-05");
  const RateTable rates = FlatTable("0.5");
  world.request.rates = &rates;
  world.request.rates_hash = "abc";
  const auto closed = world.Close("2026-10");
  REQUIRE_MESSAGE(closed, closed.error());
  CHECK(closed->invoices == 2);
  std::string text;
  const auto file = BillingFile::OpenForReading(world.directory.path());
  (*file)->Walk([&](const BillingEntry& entry) {
    if (entry.kind != EntryKind::kInvoice) return true;
    const auto detail = nlohmann::json::parse(entry.detail);
    CHECK(detail["rates_sha256"] == "abc");
    CHECK(detail["invoice_id"] == "2026-10/" + entry.account);
    text += entry.account + " " + entry.region + " " + detail["kind"].get<std::string>() + " " +
            detail["amount"].get<std::string>() + " " + detail.value("unit_price", "") + "\n";
    return true;
  });
  CHECK(text ==
        "acme us1 usage 0.617283945 0.5\n"
        "acme  rounding 0.002716055 \n"
        "acme  total 0.62 \n"
        "umbrella us1 usage 1.00 0.5\n"
        "umbrella  total 1.00 \n");
  CHECK(world.Verify() == "");
}

TEST_CASE("a month that cannot be rated is not closed") {
  BillingWorld world;
  world.Use("acme", 100, "2025-10-20");
  world.Now("2026-12-05");
  const RateTable rates = FlatTable("0.5");  // in force since 2026
  world.request.rates = &rates;
  const auto closed = world.Close("2025-10");
  REQUIRE(!closed);
  CHECK(closed.error().starts_with("cannot rate account acme: "));
  CHECK(world.Entries().empty());
}

}  // namespace
}  // namespace turnpike
