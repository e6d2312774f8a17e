// What usage costs: cards with prices, as values. `config/rates.yaml` explains each member;
// `config/rates.cc` reads such a file; `rating.h` says how cards price usage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/metering/money.h"
#include "common/metering/usage.h"

namespace turnpike {

// RateBasis says which bytes of the two that the ledger keeps are priced (usage.h).
enum class RateBasis : uint8_t { kPayload, kWire };

// RateDirections says which direction is priced.
enum class RateDirections : uint8_t { kBoth, kClientToPeer, kPeerToClient };

// TierMode: graduated prices each byte by the tier that it falls into; volume prices all bytes by
// the tier that the total falls into.
enum class TierMode : uint8_t { kGraduated, kVolume };

// RateUnit is what a price is for: 10^9 or 10^6 bytes. Both make exact decimals of every byte
// count; 2^30 does not.
enum class RateUnit : uint8_t { kGb, kMb };

// RateUnitName returns `GB` or `MB`. RateUnitBytes returns its size, RateUnitDecimals the decimals
// that a count of bytes has in it (9 or 6).
std::string_view RateUnitName(RateUnit unit);
uint64_t RateUnitBytes(RateUnit unit);
int RateUnitDecimals(RateUnit unit);

// Tier holds for bytes above the tier before it, up to and including the `up_to`-th; the last tier
// has no end.
struct Tier {
  std::optional<uint64_t> up_to;  // bytes
  Price price;

  friend bool operator==(const Tier&, const Tier&) = default;
};

// PriceRule prices the usage that it matches: what it does not name, it matches. Of the rules that
// match, one with the account wins over one without, then one with the region, then one with the
// transport.
struct PriceRule {
  std::optional<std::string> account;
  std::optional<std::string> region;
  std::optional<std::string> transport;
  TierMode mode = TierMode::kGraduated;
  std::vector<Tier> tiers;  // one at least

  friend bool operator==(const PriceRule&, const PriceRule&) = default;
};

// RateCard is in force from `effective_from` until `effective_to`, or else until the next card's
// start; the last card has no end. All its members but the times may change from card to card.
struct RateCard {
  std::string id;  // a version that invoices show; unique
  WallTime effective_from{};
  std::optional<WallTime> effective_to;
  RateUnit unit = RateUnit::kGb;
  RateBasis basis = RateBasis::kPayload;
  RateDirections directions = RateDirections::kBoth;
  uint64_t free_bytes = 0;  // per account and billing period
  Amount minimum;           // the least that an account with usage pays for a billing period
  std::vector<PriceRule> prices;

  // BillableBytes returns those of `totals` that this card prices; nullopt beyond 64 bits.
  std::optional<uint64_t> BillableBytes(const UsageTotals& totals) const;

  friend bool operator==(const RateCard&, const RateCard&) = default;
};

// RateTable is a whole file of rates.
struct RateTable {
  std::string currency;  // ISO 4217
  // Who bills: FOCUS names three parties, which are most often the same.
  std::string seller;
  std::string publisher;
  std::string invoice_issuer;
  std::vector<std::string> regions;  // those that a price may name; empty: any
  std::vector<RateCard> cards;       // by effective_from

  // CardAt returns the card in force at `time`, or nullptr when none is.
  const RateCard* CardAt(WallTime time) const;

  friend bool operator==(const RateTable&, const RateTable&) = default;
};

// FindRule returns the rule of `card` that prices this usage, or nullptr when none does.
const PriceRule* FindRule(const RateCard& card, std::string_view account, std::string_view region,
                          std::string_view transport);

// RuleName spells what a rule matches: `default`, or the like of `account=acme,region=us1`. Bytes
// of names other than A-Z a-z 0-9 . _ - become %XX, so that two rules never share a name.
std::string RuleName(const PriceRule& rule);
std::string EncodeName(std::string_view name);

// RateProblem is what is wrong with a table. `key` says where, as the file spells it:
// `cards[1].prices[0].tiers[2].price`.
struct RateProblem {
  std::string key;
  std::string what;
};

// CheckRates returns everything that is wrong with `table`, and an empty list for a table that
// RateAccount can use.
std::vector<RateProblem> CheckRates(const RateTable& table);

// CheckCoverage says that a card is in force during all of [from, to); otherwise the problem names
// the first instant without one.
std::optional<RateProblem> CheckCoverage(const RateTable& table, WallTime from, WallTime to);

}  // namespace turnpike
