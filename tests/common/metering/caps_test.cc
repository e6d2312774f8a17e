#include "common/metering/caps.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/common/metering/rate_tables.h"

namespace turnpike {
namespace {

using metering_test::AmountOf;
using metering_test::At;

UsageRow Row(std::string_view time, uint64_t bytes, const std::string& label = "") {
  UsageRow row{BucketOf(At(time)), "us1", "udp", label, {}};
  row.totals.payload_bytes = {bytes / 2, bytes - bytes / 2};
  row.totals.wire_bytes = row.totals.payload_bytes;
  return row;
}

Cap BytesCap(const std::string& account, uint64_t bytes, CapPeriod period = CapPeriod::kMonth,
             CapAction action = CapAction::kRefuse) {
  Cap cap;
  cap.account = account;
  cap.bytes = bytes;
  cap.period = period;
  cap.action = action;
  return cap;
}

std::vector<uint32_t> Percents(const CapJudgement& judgement) {
  std::vector<uint32_t> percents;
  for (const CapCrossing& crossing : judgement.crossings) percents.push_back(crossing.percent);
  return percents;
}

const CappedUse kAcme{"acme", std::nullopt};

}  // namespace

TEST_CASE("each percentage is told once, and a full cap refuses until its month is over") {
  CapBook book({BytesCap("acme", 1000)}, std::nullopt);
  book.Add("acme", Row("2026-11-02T10:00Z", 799));
  book.Add("globex", Row("2026-11-02T10:00Z", 5000));
  const WallTime now = At("2026-11-02T10:05Z");
  CHECK(book.Judge(now).crossings.empty());
  CHECK(book.Judge(now).uses[0].permille == 799);
  book.Add("acme", Row("2026-11-02T10:15Z", 1));
  CHECK(Percents(book.Judge(now)) == std::vector<uint32_t>{80});
  CHECK(book.Judge(now).crossings.empty());
  book.Add("acme", Row("2026-11-20T23:45Z", 200));
  const CapJudgement full = book.Judge(At("2026-11-20T23:59Z"));
  CHECK(Percents(full) == std::vector<uint32_t>{100});
  CHECK(full.refused == std::vector<CappedUse>{kAcme});
  CHECK(full.ended.empty());
  CHECK(book.Judge(At("2026-11-30T23:59Z")).refused == std::vector<CappedUse>{kAcme});
  const CapJudgement next = book.Judge(At("2026-12-01T00:00Z"));
  CHECK(next.refused.empty());
  CHECK(next.uses.empty());
}

TEST_CASE("a day's cap counts the day alone, late bytes in the day they were relayed") {
  CapBook book({BytesCap("acme", 100, CapPeriod::kDay, CapAction::kEnd)}, std::nullopt);
  book.Add("acme", Row("2026-11-19T23:45Z", 99));
  book.Add("acme", Row("2026-11-20T00:00Z", 99));
  CHECK(book.Judge(At("2026-11-20T00:10Z")).refused.empty());
  book.Add("acme", Row("2026-11-19T23:45Z", 1));
  CHECK(book.Judge(At("2026-11-20T00:10Z")).refused.empty());
  book.Add("acme", Row("2026-11-20T00:00Z", 1));
  const CapJudgement full = book.Judge(At("2026-11-20T00:10Z"));
  CHECK(full.refused == std::vector<CappedUse>{kAcme});
  CHECK(full.ended == full.refused);
  CHECK(book.Judge(At("2026-11-21T00:00Z")).refused.empty());
}

TEST_CASE("a label's cap leaves the other labels alone, and * holds each account by itself") {
  Cap web = BytesCap("acme", 100);
  web.label = "web";
  CapBook book({web, BytesCap("*", 1000)}, std::nullopt);
  book.Add("acme", Row("2026-11-02T10:00Z", 150, "web"));
  book.Add("acme", Row("2026-11-02T10:00Z", 800, "app"));
  book.Add("globex", Row("2026-11-02T10:00Z", 1000));
  const CapJudgement judgement = book.Judge(At("2026-11-02T10:05Z"));
  CHECK(judgement.refused == std::vector<CappedUse>{{"acme", "web"}, {"globex", std::nullopt}});
  CHECK(judgement.uses.size() == 3);
}

TEST_CASE("a cap that only warns refuses nobody") {
  CapBook book({BytesCap("acme", 10, CapPeriod::kMonth, CapAction::kWarn)}, std::nullopt);
  book.Add("acme", Row("2026-11-02T10:00Z", 30));
  const CapJudgement judgement = book.Judge(At("2026-11-02T10:05Z"));
  CHECK(Percents(judgement) == std::vector<uint32_t>{100});
  CHECK(judgement.uses[0].permille == 3000);
  CHECK(judgement.refused.empty());
}

TEST_CASE("a clock that steps back into a month finds its caps as they were, and tells no news") {
  CapBook book({BytesCap("acme", 100)}, std::nullopt);
  book.Add("acme", Row("2026-11-30T23:45Z", 100));
  CHECK(book.Judge(At("2026-11-30T23:50Z")).refused.size() == 1);
  CHECK(book.Judge(At("2026-12-01T00:10Z")).refused.empty());
  const CapJudgement again = book.Judge(At("2026-11-30T23:55Z"));
  CHECK(again.refused.size() == 1);
  CHECK(again.crossings.empty());
}

TEST_CASE("money goes by the cards in force, free bytes and tiers included") {
  // 1 GB is free; then 0.50 a GB, from 16 November on 2.00 a GB.
  RateTable rates = metering_test::FlatTable("0.50");
  rates.cards[0].free_bytes = 1'000'000'000;
  rates.cards.push_back(rates.cards[0]);
  rates.cards[1].id = "second";
  rates.cards[1].effective_from = At("2026-11-16T12:00Z");
  rates.cards[1].prices = {metering_test::FlatRule("2.00")};
  REQUIRE(CheckRates(rates).empty());
  Cap month;
  month.account = "acme";
  month.money = AmountOf("6.00");
  Cap day = month;
  day.period = CapPeriod::kDay;
  day.money = AmountOf("4.00");
  CapBook book({month, day}, rates);
  book.Add("acme", Row("2026-11-02T10:00Z", 3'000'000'000));  // 1 free, 2 for 1.00
  CHECK(book.Judge(At("2026-11-02T10:05Z")).uses[0].permille == 166);
  CHECK(book.Judge(At("2026-11-02T10:05Z")).uses[1].permille == 250);
  book.Add("acme", Row("2026-11-16T11:45Z", 2'000'000'000));  // 1.00
  book.Add("acme", Row("2026-11-16T12:00Z", 1'000'000'000));  // 2.00
  const CapJudgement judgement = book.Judge(At("2026-11-16T12:05Z"));
  CHECK(judgement.errors.empty());
  CHECK(judgement.uses[0].permille == 666);  // 4.00 of 6.00
  CHECK(judgement.uses[1].permille == 750);  // 3.00 of 4.00
}

TEST_CASE("a card that covers a part of the month holds a cap in money to that part") {
  RateTable rates = metering_test::FlatTable("0.50");
  rates.cards[0].effective_from = At("2026-11-16T00:00Z");
  Cap cap;
  cap.account = "acme";
  cap.money = AmountOf("1.00");
  cap.action = CapAction::kRefuse;
  CapBook book({cap}, rates);
  book.Add("acme", Row("2026-11-02T10:00Z", 9'000'000'000));  // no card is in force
  book.Add("acme", Row("2026-11-17T10:00Z", 2'000'000'000));
  const CapJudgement judgement = book.Judge(At("2026-11-17T10:05Z"));
  CHECK(judgement.uses[0].permille == 1000);
  CHECK(judgement.refused.size() == 1);
  REQUIRE(judgement.errors.size() == 1);
  CHECK(judgement.errors[0] ==
        "acme: no card is in force during a part of 2026-11; what is relayed then counts nothing");
  book.Forget();
  CHECK(book.Judge(At("2026-11-17T10:05Z")).uses.empty());
}

TEST_CASE("usage without a price is said, not priced at nothing in silence") {
  RateTable rates = metering_test::FlatTable("0.50");
  rates.cards[0].effective_from = At("2027-01-01T00:00Z");
  Cap cap;
  cap.account = "acme";
  cap.money = Amount(1);
  CapBook book({cap}, rates);
  book.Add("acme", Row("2026-11-02T10:00Z", 10));
  const CapJudgement judgement = book.Judge(At("2026-11-02T10:05Z"));
  REQUIRE(judgement.errors.size() == 1);
  CHECK(judgement.errors[0].starts_with("acme: "));
}

}  // namespace turnpike
