#include "common/metering/rate_card.h"

#include <algorithm>
#include <span>

#include "common/base/log.h"
#include "common/net/five_tuple.h"

namespace turnpike {
namespace {

// EndOf returns when the `i`-th card's time ends; nullopt: never.
std::optional<WallTime> EndOf(const std::vector<RateCard>& cards, size_t i) {
  if (cards[i].effective_to) return cards[i].effective_to;
  return i + 1 < cards.size() ? std::optional(cards[i + 1].effective_from) : std::nullopt;
}

bool IsTransport(std::string_view name) {
  for (int i = 0; i < kTransportCount; ++i) {
    if (TransportName(static_cast<Transport>(i)) == name) return true;
  }
  return false;
}

bool OnBoundary(WallTime time) { return BucketStart(BucketOf(time)) == time; }

bool IsNameByte(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

std::string Index(const std::string& list, size_t i) {
  return list + "[" + std::to_string(i) + "]";
}

class Checker {
 public:
  explicit Checker(const RateTable& table) : table_(table) {}

  std::vector<RateProblem> Run() {
    if (!CurrencyDecimals(table_.currency)) {
      Add("currency", "`" + EscapeText(table_.currency) +
                          "` is not a currency of ISO 4217; write its code in capitals, like EUR");
    }
    if (table_.seller.empty()) Add("seller.name", "is empty; write who sends the invoice");
    if (table_.cards.empty()) Add("cards", "is empty; write one card at least");
    for (size_t i = 0; i < table_.cards.size(); ++i) {
      CheckCard(table_.cards[i], Index("cards", i));
      if (i > 0) CheckNeighbours(i);
    }
    return std::move(problems_);
  }

 private:
  void Add(std::string key, std::string what) {
    problems_.push_back({std::move(key), std::move(what)});
  }

  void CheckCard(const RateCard& card, const std::string& key) {
    if (card.id.empty() || !std::ranges::all_of(card.id, IsNameByte)) {
      Add(key + ".id", "`" + EscapeText(card.id) +
                           "` cannot name a card; use letters, digits and . _ -, like 2026-01");
    }
    if (std::ranges::count(table_.cards, card.id, &RateCard::id) > 1) {
      Add(key + ".id", "another card has the same id " + EscapeText(card.id) +
                           "; invoices tell cards by it: give each its own");
    }
    CheckTimes(card, key);
    if (card.minimum.value() < 0) Add(key + ".minimum", "is negative; write 0 or more");
    if (card.prices.empty()) Add(key + ".prices", "is empty; write one price at least");
    for (size_t i = 0; i < card.prices.size(); ++i) CheckRule(card, i, key + ".prices");
    const bool has_default = std::ranges::any_of(card.prices, [](const PriceRule& rule) {
      return !rule.account && !rule.region && !rule.transport;
    });
    if (!has_default && !card.prices.empty()) {
      Add(key + ".prices",
          "none is for all usage; add one with region: \"*\" and no account or transport, so that "
          "no usage is without a price");
    }
  }

  void CheckTimes(const RateCard& card, const std::string& key) {
    const std::string rule =
        " is not a multiple of 15 minutes, which usage is kept by; write a date, or a time such as "
        "2026-11-01T12:15Z";
    if (!OnBoundary(card.effective_from)) {
      Add(key + ".effective_from", FormatRfc3339(card.effective_from) + rule);
    }
    if (!card.effective_to) return;
    if (!OnBoundary(*card.effective_to)) {
      Add(key + ".effective_to", FormatRfc3339(*card.effective_to) + rule);
    } else if (*card.effective_to <= card.effective_from) {
      Add(key + ".effective_to", "is not later than effective_from " +
                                     FormatRfc3339(card.effective_from) +
                                     "; it is the first instant without the card");
    }
  }

  // CheckNeighbours compares card `i` with the one before it.
  void CheckNeighbours(size_t i) {
    const RateCard& card = table_.cards[i];
    const RateCard& last = table_.cards[i - 1];
    const std::string key = Index("cards", i) + ".effective_from";
    const std::string from = FormatRfc3339(card.effective_from);
    if (card.effective_from <= last.effective_from) {
      Add(key, from + " is not later than that of the card before it (" +
                   FormatRfc3339(last.effective_from) + "): both would hold; sort cards by it");
    } else if (last.effective_to && card.effective_from < *last.effective_to) {
      Add(key, from + " overlaps card " + EscapeText(last.id) + ", which holds until " +
                   FormatRfc3339(*last.effective_to) + "; begin then, or remove its effective_to");
    } else if (last.effective_to && card.effective_from > *last.effective_to) {
      Add(key, "leaves a gap: card " + EscapeText(last.id) + " ends at " +
                   FormatRfc3339(*last.effective_to) + " and this one begins at " + from +
                   "; begin then, or remove its effective_to");
    }
  }

  void CheckRule(const RateCard& card, size_t i, const std::string& list) {
    const PriceRule& rule = card.prices[i];
    const std::string key = Index(list, i);
    if (rule.region && !table_.regions.empty() &&
        std::ranges::count(table_.regions, *rule.region) == 0) {
      std::string known;
      for (const std::string& region : table_.regions) {
        known += (known.empty() ? "" : ", ") + EscapeText(region);
      }
      Add(key + ".region", "`" + EscapeText(*rule.region) + "` is not one of `regions` (" + known +
                               "); add it there, or mend it");
    }
    if (rule.transport && !IsTransport(*rule.transport)) {
      Add(key + ".transport",
          "`" + EscapeText(*rule.transport) + "` is not one of udp, tcp, tls, dtls");
    }
    const auto same = [&](const PriceRule& other) {
      return other.account == rule.account && other.region == rule.region &&
             other.transport == rule.transport;
    };
    if (std::ranges::any_of(std::span(card.prices).first(i), same)) {
      Add(key,
          "prices the same usage (" + RuleName(rule) + ") as one before it; remove one of the two");
    }
    CheckTiers(rule, key);
  }

  void CheckTiers(const PriceRule& rule, const std::string& key) {
    if (rule.tiers.empty()) Add(key + ".tiers", "is empty; write one tier at least");
    uint64_t last = 0;
    for (size_t i = 0; i < rule.tiers.size(); ++i) {
      const Tier& tier = rule.tiers[i];
      const std::string tier_key = Index(key + ".tiers", i);
      if (tier.price.value() < 0) {
        Add(rule.tiers.size() == 1 ? key + ".price" : tier_key + ".price",
            FormatPrice(tier.price) + " is negative; write 0 or more");
      }
      const bool is_last = i + 1 == rule.tiers.size();
      if (is_last && tier.up_to) {
        Add(tier_key + ".up_to", "ends the last tier, and usage above it has no price; remove it");
      } else if (!is_last && !tier.up_to) {
        Add(tier_key, "has no up_to, but a tier follows it; only the last tier is without end");
      } else if (!is_last && *tier.up_to <= last) {
        Add(tier_key + ".up_to", "is not above the tier before it; sort tiers by up_to");
      }
      last = tier.up_to.value_or(last);
    }
  }

  const RateTable& table_;
  std::vector<RateProblem> problems_;
};

}  // namespace

std::string_view RateUnitName(RateUnit unit) { return unit == RateUnit::kGb ? "GB" : "MB"; }

uint64_t RateUnitBytes(RateUnit unit) { return unit == RateUnit::kGb ? 1'000'000'000 : 1'000'000; }

int RateUnitDecimals(RateUnit unit) { return unit == RateUnit::kGb ? 9 : 6; }

std::optional<uint64_t> RateCard::BillableBytes(const UsageTotals& totals) const {
  const auto& bytes = basis == RateBasis::kPayload ? totals.payload_bytes : totals.wire_bytes;
  constexpr auto kUp = static_cast<size_t>(Direction::kClientToPeer);
  constexpr auto kDown = static_cast<size_t>(Direction::kPeerToClient);
  if (directions == RateDirections::kClientToPeer) return bytes[kUp];
  if (directions == RateDirections::kPeerToClient) return bytes[kDown];
  uint64_t sum = 0;
  if (__builtin_add_overflow(bytes[kUp], bytes[kDown], &sum)) return std::nullopt;
  return sum;
}

const RateCard* RateTable::CardAt(WallTime time) const {
  const auto after = std::ranges::upper_bound(cards, time, {}, &RateCard::effective_from);
  if (after == cards.begin()) return nullptr;
  const RateCard& card = *std::prev(after);
  return card.effective_to && *card.effective_to <= time ? nullptr : &card;
}

const PriceRule* FindRule(const RateCard& card, std::string_view account, std::string_view region,
                          std::string_view transport) {
  const PriceRule* best = nullptr;
  int best_rank = -1;
  for (const PriceRule& rule : card.prices) {
    if (rule.account && *rule.account != account) continue;
    if (rule.region && *rule.region != region) continue;
    if (rule.transport && *rule.transport != transport) continue;
    const int rank = (rule.account ? 4 : 0) + (rule.region ? 2 : 0) + (rule.transport ? 1 : 0);
    if (rank <= best_rank) continue;
    best = &rule;
    best_rank = rank;
  }
  return best;
}

std::string EncodeName(std::string_view name) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : name) {
    if (IsNameByte(c)) {
      encoded += c;
    } else {
      const auto byte = static_cast<uint8_t>(c);
      encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return encoded;
}

std::string RuleName(const PriceRule& rule) {
  std::string name;
  const auto add = [&](std::string_view key, const std::optional<std::string>& value) {
    if (!value) return;
    name += (name.empty() ? "" : ",") + std::string(key) + "=" + EncodeName(*value);
  };
  add("account", rule.account);
  add("region", rule.region);
  add("transport", rule.transport);
  return name.empty() ? "default" : name;
}

std::vector<RateProblem> CheckRates(const RateTable& table) { return Checker(table).Run(); }

std::optional<RateProblem> CheckCoverage(const RateTable& table, WallTime from, WallTime to) {
  const std::vector<RateCard>& cards = table.cards;
  if (cards.empty()) return RateProblem{"cards", "is empty; write one card at least"};
  if (from < cards.front().effective_from) {
    return RateProblem{"cards[0].effective_from",
                       "leaves a gap: no card is in force from " + FormatRfc3339(from) + " to " +
                           FormatRfc3339(std::min(to, cards.front().effective_from)) +
                           "; begin earlier, or add a card for that time"};
  }
  const std::optional<WallTime> end = EndOf(cards, cards.size() - 1);
  if (!end || to <= *end) return std::nullopt;
  return RateProblem{Index("cards", cards.size() - 1) + ".effective_to",
                     "leaves a gap: no card is in force from " +
                         FormatRfc3339(std::max(from, *end)) + " to " + FormatRfc3339(to) +
                         "; remove it, or add a card for that time"};
}

}  // namespace turnpike
