// Random traffic under random cards, priced a second time by a dumber accountant: it walks atoms of
// usage one by one and adds up fractions. It knows the types of rate cards and none of their code.
#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/common/metering/random_rates.h"

namespace turnpike {
namespace {

using metering_test::Dice;
using metering_test::RandomTable;
using metering_test::RandomUsage;

// Fraction is exact; every step checks its bounds.
struct Fraction {
  Int128 n = 0;
  Int128 d = 1;

  static Int128 Divisor(Int128 a, Int128 b) {
    if (a < 0) a = -a;
    while (b != 0) a = std::exchange(b, a % b);
    return a;
  }
  static Fraction Of(Int128 n, Int128 d) {
    const Int128 common = Divisor(n, d);
    return {n / common, d / common};
  }
  static Int128 Times(Int128 a, Int128 b) {
    Int128 product = 0;
    REQUIRE(!__builtin_mul_overflow(a, b, &product));
    return product;
  }
  friend Fraction operator+(const Fraction& a, const Fraction& b) {
    const Int128 common = Divisor(a.d, b.d);
    Int128 sum = 0;
    REQUIRE(!__builtin_add_overflow(Times(a.n, b.d / common), Times(b.n, a.d / common), &sum));
    return Of(sum, Times(a.d, b.d / common));
  }
  friend Fraction operator*(const Fraction& a, const Fraction& b) {
    return Of(Times(a.n, b.n), Times(a.d, b.d));
  }
  friend bool operator==(const Fraction&, const Fraction&) = default;
  bool LessThan(const Fraction& o) const { return (*this + o * Fraction{-1, 1}).n < 0; }
};

// Rounded is `f` to `decimals` places, a half to the even neighbour: the candidate that is nearer.
Fraction Rounded(const Fraction& f, int decimals) {
  Int128 scale = 1;
  for (int i = 0; i < decimals; ++i) scale *= 10;
  const Fraction scaled = f * Fraction{scale, 1};
  const Int128 floor = scaled.n / scaled.d;  // nothing here is negative
  const Fraction above = scaled + Fraction{-floor, 1};
  const Fraction twice = above * Fraction{2, 1};
  const bool half = twice == Fraction{1, 1};
  const bool up = half ? floor % 2 == 1 : Fraction{1, 1}.LessThan(twice);
  return Fraction::Of(floor + (up ? 1 : 0), scale);
}

// LineName is account-wide: card, region, transport and tier (0: free).
using LineName = std::tuple<std::string, std::string, std::string, uint32_t>;

struct Accountant {
  std::map<LineName, std::pair<Int128, Fraction>> lines;
  Fraction minimum;
  Fraction total;
};

// Matching finds the rule by trying what a rule may name, the most important first.
const PriceRule& Matching(const RateCard& card, const std::string& account, const UsageRow& row) {
  for (const int names : {7, 6, 5, 4, 3, 2, 1, 0}) {
    for (const PriceRule& rule : card.prices) {
      if (rule.account.has_value() == ((names & 4) != 0) &&
          rule.region.has_value() == ((names & 2) != 0) &&
          rule.transport.has_value() == ((names & 1) != 0) &&
          rule.account.value_or(account) == account &&
          rule.region.value_or(row.region) == row.region &&
          rule.transport.value_or(row.transport) == row.transport) {
        return rule;
      }
    }
  }
  FAIL("no rule");
  return card.prices.front();
}

// Priced is what one row has to pay for, in atoms.
struct Priced {
  const UsageRow* row;
  const RateCard* card;
  const PriceRule* rule;
  uint64_t atoms;
};

uint64_t AtomsOf(const RateCard& card, const UsageTotals& totals, uint64_t atom) {
  const auto& b = card.basis == RateBasis::kWire ? totals.wire_bytes : totals.payload_bytes;
  uint64_t bytes = 0;
  if (card.directions != RateDirections::kPeerToClient) bytes += b[0];
  if (card.directions != RateDirections::kClientToPeer) bytes += b[1];
  return bytes / atom;
}

const RateCard& CardFor(const RateTable& table, const UsageRow& row) {
  const RateCard* found = nullptr;
  for (const RateCard& card : table.cards) {
    if (card.effective_from <= WallTime(std::chrono::seconds(900) * row.bucket.value())) {
      found = &card;
    }
  }
  REQUIRE(found != nullptr);
  return *found;
}

// Account prices `rows`, which are in order, whose bytes and bounds are all multiples of `atom`.
Accountant Account(const RateTable& table, const std::string& account,
                   const std::vector<UsageRow>& rows, uint64_t atom, int decimals) {
  using Group = std::tuple<std::optional<std::string>, std::optional<std::string>,
                           std::optional<std::string>>;
  const auto group_of = [](const PriceRule& r) { return Group{r.account, r.region, r.transport}; };
  Accountant book;
  std::map<Group, uint64_t> all;
  std::vector<Priced> priced;
  uint64_t free_so_far = 0;
  bool any = false;
  for (const UsageRow& row : rows) {
    const RateCard& card = CardFor(table, row);
    uint64_t paid = 0;
    for (uint64_t i = AtomsOf(card, row.totals, atom); i > 0; --i) {
      any = true;
      if (free_so_far < card.free_bytes / atom) {
        ++free_so_far;
        book.lines[{card.id, row.region, row.transport, 0}].first += atom;
      } else {
        ++paid;
      }
    }
    const PriceRule& rule = Matching(card, account, row);
    all[group_of(rule)] += paid;
    priced.push_back({&row, &card, &rule, paid});
  }
  std::map<Group, uint64_t> seen;
  for (const Priced& p : priced) {
    for (uint64_t i = 0; i < p.atoms; ++i) {
      const uint64_t place = ++seen[group_of(*p.rule)];
      const uint64_t rank = p.rule->mode == TierMode::kVolume ? all[group_of(*p.rule)] : place;
      uint32_t tier = 0;
      while (p.rule->tiers[tier].up_to && *p.rule->tiers[tier].up_to / atom < rank) ++tier;
      const Int128 unit = p.card->unit == RateUnit::kGb ? 1'000'000'000 : 1'000'000;
      auto& [bytes, cost] = book.lines[{p.card->id, p.row->region, p.row->transport, tier + 1}];
      bytes += atom;
      cost = cost + Fraction::Of(atom, unit) *
                        Fraction::Of(p.rule->tiers[tier].price.value(), 1'000'000'000);
    }
  }
  Fraction sum;
  for (const auto& [name, line] : book.lines) sum = sum + line.second;
  const Fraction least =
      Fraction::Of(table.cards.back().minimum.value(), 1'000'000'000'000'000'000);
  if (any && sum.LessThan(least)) {
    book.minimum = least + sum * Fraction{-1, 1};
    sum = least;
  }
  book.total = Rounded(sum, decimals);
  return book;
}

void CheckCase(uint64_t seed) {
  CAPTURE(seed);
  Dice dice(seed);
  const uint64_t atoms[] = {1, 7, 1'000'003, 999'999'937, 20'000'000'000};
  const uint64_t atom = atoms[dice.Below(5)];
  const RateTable table = RandomTable(dice, atom);
  REQUIRE(CheckRates(table).empty());
  const std::vector<UsageRow> rows = RandomUsage(dice, atom);
  const int decimals = table.currency == "JPY" ? 0 : table.currency == "KWD" ? 3 : 2;
  const Accountant book = Account(table, "acme", rows, atom, decimals);

  std::vector<UsageRow> shuffled(rows.rbegin(), rows.rend());
  const auto invoice = RateAccount(table, *ParseBillingPeriod("2026-11"), "acme", shuffled);
  REQUIRE_MESSAGE(invoice, invoice.error());
  constexpr Int128 kAtto = 1'000'000'000'000'000'000;
  size_t lines = 0;
  Int128 sum = 0;
  for (const InvoiceLine& line : invoice->lines) {
    sum += line.amount.value();
    const Fraction amount = Fraction::Of(line.amount.value(), kAtto);
    if (line.kind == LineKind::kMinimum) CHECK(amount == book.minimum);
    if (line.kind == LineKind::kMinimum || line.kind == LineKind::kRounding) continue;
    const auto found = book.lines.find({line.card, line.region, line.transport, line.tier});
    REQUIRE(found != book.lines.end());
    CHECK(found->second.first == Int128{line.bytes});
    CHECK(found->second.second == amount);
    ++lines;
  }
  CHECK(lines == book.lines.size());
  CHECK(sum == invoice->total.value());
  CHECK(Fraction::Of(invoice->total.value(), kAtto) == book.total);
}

TEST_CASE("10,000 random tables and months cost what exact fractions say, to the last unit") {
  for (uint64_t seed = 1; seed <= 10'000; ++seed) CheckCase(seed);
}

}  // namespace
}  // namespace turnpike
