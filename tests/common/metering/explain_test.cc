#include "common/metering/explain.h"

#include <doctest/doctest.h>

#include "tests/common/metering/metering_world.h"
#include "tests/common/metering/rate_tables.h"

namespace turnpike {
namespace {

using metering_test::FlatCard;
using metering_test::FlatTable;
using metering_test::PriceOf;
using metering_test::Usage;
using metering_test::World;

TEST_CASE("a line's id says period and account") {
  const auto owner = ParseLineId("2026-11/a%2Fb%FF/card/us1/udp/tier-1");
  REQUIRE(owner);
  CHECK(owner->account == "a/b\xff");
  CHECK(owner->period.name == "2026-11");
  for (const char* bad : {"", "2026-11", "2026-11/acme", "2026-13/acme/minimum", "/acme/minimum",
                          "2026-11/a%2/minimum", "2026-11/a%zz/minimum", "2026-11/a%/minimum"}) {
    CAPTURE(bad);
    REQUIRE(!ParseLineId(bad));
    CHECK(ParseLineId(bad).error().find("is not a line's id") != std::string::npos);
  }
}

TEST_CASE("the sessions of a slice add up to its lines, before and after a change of cards") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  const SlotId one = world.Begin("acme");
  const SlotId other = world.Begin("other");
  world.Relay(one, Direction::kClientToPeer, 7);
  world.Relay(other, Direction::kClientToPeer, 1000);
  world.now += std::chrono::minutes(15);
  const SlotId two = world.Begin("acme");
  world.Begin("acme");  // relays nothing
  world.Relay(one, Direction::kPeerToClient, 20);
  world.Relay(two, Direction::kPeerToClient, 3);
  world.now += std::chrono::minutes(1);
  world.Checkpoint();

  RateTable table = FlatTable("1");
  table.cards.push_back(FlatCard("late", "2026-11-20T12:15Z", "2"));
  for (RateCard& card : table.cards) {
    card.prices[0].tiers.insert(card.prices[0].tiers.begin(), {10, PriceOf("4")});
  }
  std::vector<UsageRow> rows = {Usage("2026-11-20T12:00Z", "us1", 7),
                                Usage("2026-11-20T12:15Z", "us1", 0, 23)};
  const auto invoice = RateAccount(table, *ParseBillingPeriod("2026-11"), "acme", rows);
  REQUIRE(invoice);
  REQUIRE(invoice->lines.size() == 4);  // early tier 1; late tiers 1 and 2; rounding

  const auto sessions = [&](const InvoiceLine& line) {
    std::string text;
    uint64_t sum = 0;
    const auto ok = VisitSlice(directory.path(), table, *invoice, line,
                               [&](const SessionRow& session, uint64_t bytes) {
                                 text += session.username + " " + std::to_string(bytes) + "\n";
                                 sum += bytes;
                                 return true;
                               });
    REQUIRE_MESSAGE(ok, ok.error());
    CHECK(sum == SliceOf(*invoice, line).bytes);
    return text;
  };
  CHECK(sessions(invoice->lines[0]) == "user-1 7\n");
  CHECK(sessions(invoice->lines[1]) == "user-1 20\nuser-3 3\n");
  CHECK(sessions(invoice->lines[2]) == sessions(invoice->lines[1]));
  CHECK(SliceOf(*invoice, invoice->lines[1]).lines.size() == 2);

  table.cards[1].basis = RateBasis::kWire;  // 4 bytes of framing each, in this world
  std::string text;
  REQUIRE(VisitSlice(directory.path(), table, *invoice, invoice->lines[1],
                     [&](const SessionRow&, uint64_t bytes) {
                       text += std::to_string(bytes) + " ";
                       return false;
                     }));
  CHECK(text == "24 ");
}

TEST_CASE("a ledger that cannot be read, and a card that is gone, are named") {
  const RateTable table = FlatTable("1");
  const auto invoice = RateAccount(table, *ParseBillingPeriod("2026-11"), "acme",
                                   {Usage("2026-11-20T12:00Z", "us1", 7)});
  REQUIRE(invoice);
  const auto visit = [](const SessionRow&, uint64_t) { return true; };
  const auto read = VisitSlice("/nonexistent", table, *invoice, invoice->lines[0], visit);
  REQUIRE(!read);
  CHECK(read.error().find("cannot find a ledger") != std::string::npos);
  RateTable renamed = table;
  renamed.cards[0].id = "other";
  CHECK(VisitSlice("/nonexistent", renamed, *invoice, invoice->lines[0], visit).error() ==
        "the rates have no card 2026");
}

}  // namespace
}  // namespace turnpike
