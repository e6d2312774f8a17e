// Random rate tables and months of usage that a seed determines.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/common/metering/rate_tables.h"

namespace turnpike::metering_test {

// Dice draws what a case is made of.
class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  uint64_t Below(uint64_t bound) { return engine_() % bound; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  const char* Pick(const std::vector<const char*>& words) { return words[Below(words.size())]; }

 private:
  std::mt19937_64 engine_;
};

inline PriceRule RandomRule(Dice& dice, uint64_t atom) {
  PriceRule rule;
  rule.mode = dice.OneIn(2) ? TierMode::kGraduated : TierMode::kVolume;
  std::set<uint64_t> bounds;
  for (uint64_t i = dice.Below(4); i > 0; --i) bounds.insert(1 + dice.Below(60));
  const auto price = [&] {
    const uint64_t digits[] = {10, 1'000, 1'000'000, 1'000'000'000, 100'000'000'000};
    return Price(static_cast<int64_t>(dice.Below(digits[dice.Below(5)])));
  };
  for (const uint64_t bound : bounds) rule.tiers.push_back({bound * atom, price()});
  rule.tiers.push_back({std::nullopt, price()});
  return rule;
}

// RandomTable has one to three cards that cover 2026-11; bounds are multiples of `atom` bytes.
inline RateTable RandomTable(Dice& dice, uint64_t atom) {
  RateTable table;
  table.currency = dice.Pick({"EUR", "JPY", "KWD"});
  table.seller = "seller";
  const char* const starts[] = {"2026-01-01", "2026-11-10T06:15Z", "2026-11-20"};
  const uint64_t cards = 1 + dice.Below(3);
  for (uint64_t i = 0; i < cards; ++i) {
    RateCard card;
    card.id = "card-" + std::to_string(i);
    card.effective_from = At(starts[i]);
    card.unit = dice.OneIn(3) ? RateUnit::kMb : RateUnit::kGb;
    card.basis = dice.OneIn(3) ? RateBasis::kWire : RateBasis::kPayload;
    card.directions = static_cast<RateDirections>(dice.Below(3));
    card.free_bytes = dice.OneIn(2) ? dice.Below(40) * atom : 0;
    if (dice.OneIn(3)) card.minimum = Amount(Int128{dice.Below(1'000'000)} * 100'000'000'000'000);
    card.prices.push_back(RandomRule(dice, atom));
    std::set<uint64_t> names;
    for (uint64_t rules = dice.Below(4); rules > 0; --rules) names.insert(1 + dice.Below(7));
    for (const uint64_t name : names) {
      PriceRule rule = RandomRule(dice, atom);
      if ((name & 4) != 0) rule.account = dice.Pick({"acme", "other"});
      if ((name & 2) != 0) rule.region = dice.Pick({"us1", "de1"});
      if ((name & 1) != 0) rule.transport = dice.Pick({"udp", "tls"});
      card.prices.insert(card.prices.begin(), rule);
    }
    table.cards.push_back(card);
  }
  return table;
}

// RandomUsage is some of 2026-11, in order; bytes are multiples of `atom`.
inline std::vector<UsageRow> RandomUsage(Dice& dice, uint64_t atom) {
  std::map<std::tuple<BucketIndex, std::string, std::string>, UsageRow> rows;
  const BucketIndex first = BucketOf(At("2026-11-01"));
  for (uint64_t i = dice.Below(8); i > 0; --i) {
    UsageRow row;
    row.bucket = BucketIndex(first.value() + static_cast<uint32_t>(dice.Below(30 * 96)));
    row.region = dice.Pick({"us1", "de1", "jp1"});
    row.transport = dice.Pick({"udp", "tcp", "tls"});
    for (int d = 0; d < kDirectionCount; ++d) {
      row.totals.payload_bytes[static_cast<size_t>(d)] = dice.Below(20) * atom;
      row.totals.wire_bytes[static_cast<size_t>(d)] = dice.Below(30) * atom;
    }
    rows[{row.bucket, row.region, row.transport}] = row;
  }
  std::vector<UsageRow> sorted;
  for (auto& [key, row] : rows) sorted.push_back(std::move(row));
  return sorted;
}

}  // namespace turnpike::metering_test
