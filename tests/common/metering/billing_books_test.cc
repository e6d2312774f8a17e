#include "common/metering/billing_books.h"

#include <doctest/doctest.h>

#include "tests/common/metering/billing_world.h"

namespace turnpike {
namespace {

using metering_test::BillingWorld;

TEST_CASE("books add entries up by period, and late usage is what they lack") {
  BillingWorld world;
  world.Use("acme", 100, "2026-10-20");
  world.Now("2026-11-05");
  REQUIRE(world.Close("2026-10"));
  world.Use("acme", 11, "2026-10-21");
  world.Now("2026-11-06");
  const auto late = [&] {
    const auto file = BillingFile::OpenForReading(world.directory.path());
    const auto ledger = ReadLedger(world.directory.path());
    REQUIRE(file);
    REQUIRE(ledger);
    CHECK(ReadMonths(*ledger->database).size() == 1);
    return FindLate(ReadBooks(**file), *ledger->database);
  };
  const auto before = late();
  REQUIRE(before.size() == 1);
  CHECK(before[0].period == "2026-10");
  CHECK(before[0].original == 1);
  CHECK(Billable(before[0].counts) == 11);
  CHECK(!before[0].IsLoss());
  REQUIRE(CorrectPeriods(world.request));
  CHECK(late().empty());
  const auto file = BillingFile::OpenForReading(world.directory.path());
  const Books books = ReadBooks(**file);
  CHECK(books.at("2026-10").closed);
  CHECK(books.at("2026-10").billed_bytes == 100);
  CHECK(books.at("2026-11").corrected_bytes == 11);
  CHECK(books.at("2026-11").unpriced_bytes == 11);
  CHECK(books.at("2026-10").to_be_priced.contains("acme"));
}

}  // namespace
}  // namespace turnpike
