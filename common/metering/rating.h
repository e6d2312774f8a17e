// Rating: usage of one account in one billing period, priced by rate cards. A pure function; every
// amount is exact until the invoice's total is rounded once.
//
// How cards price usage:
// - Usage is taken in the order of time (bucket, then region, transport, label). The card in force
//   at a bucket's start prices it; its rule for account, region and transport is the one of
//   FindRule.
// - The free allowance takes the period's first bytes of the account, whatever their region. After
//   a change of cards the new card's allowance holds, less what was free already in this period.
// - Tiers count the account's bytes of the period under the same rule (RuleName), beyond what was
//   free. The count goes on when a later card has a rule of the same name. Graduated: each byte
//   costs what its tier says. Volume: all bytes of the rule in the period cost what the tier says
//   that holds their total; each card's bytes cost its own price of that tier.
// - The minimum is that of the card in force when the period ends. It is charged to accounts with
//   priced or free bytes in the period: what is missing is a line of its own.
// - The total is the exact sum of the lines rounded half to even, once; the difference is a line.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/metering/money.h"
#include "common/metering/rate_card.h"
#include "common/metering/usage_row.h"

namespace turnpike {

// BillingPeriod is one month, UTC: `name` is `2026-11`, `from` is in it, `to` is not.
struct BillingPeriod {
  std::string name;
  WallTime from{};
  WallTime to{};

  friend bool operator==(const BillingPeriod&, const BillingPeriod&) = default;
};

// ParseBillingPeriod reads `2026-11`, from 1970 on; it fails with a sentence. BillingPeriodOf
// returns the month that holds `time`.
std::expected<BillingPeriod, std::string> ParseBillingPeriod(std::string_view text);
BillingPeriod BillingPeriodOf(WallTime time);

// LineKind says what a line is for. Only kUsage and kAllowance have bytes.
enum class LineKind : uint8_t { kUsage, kAllowance, kMinimum, kRounding };

// LineKindName returns the lower case name without the k.
std::string_view LineKindName(LineKind kind);

// InvoiceLine is one charge. `amount` = bytes / RateUnitBytes(unit) × price, exactly, where there
// are bytes.
struct InvoiceLine {
  std::string id;  // 2026-11/acme/CARD/us1/udp/tier-1; the same whenever it is computed
  LineKind kind = LineKind::kUsage;
  std::string region;        // of usage and allowance, as all up to `price`
  std::string transport;     //
  std::string card;          // RateCard::id; also of the minimum
  std::string rule;          // RuleName; empty for the allowance
  uint32_t tier = 0;         // from 1; 0 for the allowance
  std::string sku_price_id;  // CARD/RULE/tier-1, CARD/allowance, CARD/minimum, rounding
  WallTime from{};           // the card's share of the period, [from, to); for other lines all
  WallTime to{};
  uint64_t bytes = 0;
  RateUnit unit = RateUnit::kGb;
  Price price;
  Amount amount;
  // Of a correction: the line of an earlier invoice that it adds to, or takes back from. `from` and
  // `to` are then those of that line. `is_credit` says that `bytes` are taken back.
  std::string corrects;
  bool is_credit = false;

  friend bool operator==(const InvoiceLine&, const InvoiceLine&) = default;
};

// DescribeLine names what `line` is for, in words: `Data transfer, us1, udp, tier 1`. Names in it
// are bytes from outside.
std::string DescribeLine(const InvoiceLine& line);

// Invoice is what an account pays for a period. Lines are in the order of cards, regions,
// transports and tiers, then minimum, corrections of earlier periods and rounding; their amounts
// add up to `total`.
struct Invoice {
  std::string id;  // 2026-11/acme
  std::string account;
  BillingPeriod period;
  std::string currency;
  int decimals = 2;  // of the currency
  std::vector<InvoiceLine> lines;
  uint64_t bytes = 0;  // of all lines but corrections
  Amount total;        // rounded
};

// InvoiceId is `2026-11/acme`, the id of an account's invoice of a period.
std::string InvoiceId(const BillingPeriod& period, std::string_view account);

// AddCorrections adds lines that correct earlier invoices to `invoice`, and rounds its total anew.
// It fails with a sentence when the total is beyond 10^20 units of the currency.
std::expected<Invoice, std::string> AddCorrections(Invoice invoice,
                                                   std::vector<InvoiceLine> corrections);

// Charge is a part of a row that has one price: what a report needs to spread prices over groups.
struct Charge {
  uint64_t bytes = 0;
  Amount amount;
};
using ChargeVisitor = std::function<void(const UsageRow& row, const Charge& charge)>;

// RateAccount prices `rows`, all usage of `account` in `period`, in any order. `table` must have
// passed CheckRates. It calls `visitor`, if there is one, for every charge in the order of time.
// Fails with a sentence when no card is in force during a part of the period, when a row lies
// outside of it, or when a sum is beyond 64 bits of bytes or 10^20 units of the currency.
std::expected<Invoice, std::string> RateAccount(const RateTable& table, const BillingPeriod& period,
                                                const std::string& account,
                                                std::vector<UsageRow> rows,
                                                const ChargeVisitor& visitor = {});

}  // namespace turnpike
