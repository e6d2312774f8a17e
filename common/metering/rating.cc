#include "common/metering/rating.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "common/base/log.h"

namespace turnpike {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month;

// Amounts stay below this, so that each of them can be rounded.
constexpr Int128 kLargestAmount =
    Int128{10'000'000'000'000'000'000u} * Int128{10'000'000'000'000'000'000u};

BillingPeriod MonthPeriod(year_month month) {
  const auto first = sys_days(month / std::chrono::day(1));
  BillingPeriod period;
  period.from = first;
  period.to = sys_days((month + std::chrono::months(1)) / std::chrono::day(1));
  period.name = FormatRfc3339(period.from).substr(0, 7);
  return period;
}

// Piece is a row with what prices it.
struct Piece {
  const UsageRow* row = nullptr;
  const RateCard* card = nullptr;
  const PriceRule* rule = nullptr;
  size_t group = 0;  // of rules with one name
  uint64_t free = 0;
  uint64_t priced = 0;
};

// LineKey orders lines; tier 0 is the allowance.
using LineKey = std::tuple<const RateCard*, std::string_view, std::string_view, uint32_t>;

// LineOf makes a line that is for the whole period.
InvoiceLine LineOf(const Invoice& invoice, LineKind kind, std::string sku_price_id) {
  InvoiceLine line;
  line.id = invoice.id + "/" + std::string(LineKindName(kind));
  line.kind = kind;
  line.sku_price_id = std::move(sku_price_id);
  line.from = invoice.period.from;
  line.to = invoice.period.to;
  return line;
}

void AddRounding(Invoice& invoice) {
  const Amount rounded = RoundHalfEven(invoice.total, invoice.decimals);
  if (rounded == invoice.total) return;
  InvoiceLine line = LineOf(invoice, LineKind::kRounding, "rounding");
  line.amount = Amount(rounded.value() - invoice.total.value());
  invoice.total = rounded;
  invoice.lines.push_back(std::move(line));
}

class Rater {
 public:
  Rater(const RateTable& table, const BillingPeriod& period, const std::string& account,
        const std::vector<UsageRow>& rows, const ChargeVisitor& visitor)
      : table_(table), period_(period), rows_(rows), visitor_(visitor) {
    invoice_.account = account;
    invoice_.period = period;
    invoice_.id = InvoiceId(period, account);
    invoice_.currency = table.currency;
    invoice_.decimals = CurrencyDecimals(table.currency).value_or(2);
  }

  std::expected<Invoice, std::string> Run() {
    if (const auto gap = CheckCoverage(table_, period_.from, period_.to)) {
      return std::unexpected("the rates do not cover " + period_.name + ": " + gap->key + " " +
                             gap->what);
    }
    for (const UsageRow& row : rows_) {
      if (!Classify(row)) return std::unexpected(error_);
    }
    for (const Piece& piece : pieces_) Price(piece);
    AddMinimum();
    AddRounding(invoice_);
    if (!error_.empty()) return std::unexpected(error_);
    return std::move(invoice_);
  }

 private:
  struct Found {
    const PriceRule* rule = nullptr;
    size_t group = 0;
  };

  void Fail(const std::string& what) {
    if (error_.empty()) {
      error_ = "cannot rate " + EscapeText(invoice_.account) + " in " + period_.name + ": " + what;
    }
  }

  // Classify finds card and rule of `row`, and parts what is free from what is priced.
  bool Classify(const UsageRow& row) {
    const WallTime time = BucketStart(row.bucket);
    if (time < period_.from || time >= period_.to) {
      Fail("usage at " + FormatRfc3339(time) + " is of another period");
      return false;
    }
    Piece piece;
    piece.row = &row;
    piece.card = table_.CardAt(time);
    const auto bytes = piece.card->BillableBytes(row.totals);
    if (!bytes || __builtin_add_overflow(invoice_.bytes, *bytes, &invoice_.bytes)) {
      Fail("more bytes than 64 bits count");
      return false;
    }
    const Found found = Find(*piece.card, row);
    piece.rule = found.rule;
    piece.group = found.group;
    const uint64_t left = piece.card->free_bytes - std::min(piece.card->free_bytes, free_used_);
    piece.free = std::min(*bytes, left);
    piece.priced = *bytes - piece.free;
    free_used_ += piece.free;
    totals_[piece.group] += piece.priced;
    pieces_.push_back(piece);
    return true;
  }

  // Find is FindRule with a memory: rows are many, their regions and transports few.
  Found Find(const RateCard& card, const UsageRow& row) {
    const auto [known, is_new] = found_.try_emplace({&card, row.region, row.transport});
    if (is_new) {
      const PriceRule* const rule = FindRule(card, invoice_.account, row.region, row.transport);
      const auto [group, first] = groups_.try_emplace(RuleName(*rule), totals_.size());
      if (first) {
        totals_.push_back(0);
        positions_.push_back(0);
      }
      known->second = {rule, group->second};
    }
    return known->second;
  }

  void Price(const Piece& piece) {
    if (piece.free > 0) Add(piece, 0, piece.free, turnpike::Price(0));
    const std::vector<Tier>& tiers = piece.rule->tiers;
    uint64_t& position = positions_[piece.group];
    const bool volume = piece.rule->mode == TierMode::kVolume;
    uint64_t rest = piece.priced;
    for (uint32_t i = 0; rest > 0; ++i) {
      const Tier& tier = tiers[i];
      const uint64_t reached = volume ? totals_[piece.group] : position + 1;
      if (tier.up_to && *tier.up_to < reached) continue;
      const uint64_t take = tier.up_to && !volume ? std::min(rest, *tier.up_to - position) : rest;
      Add(piece, i + 1, take, tier.price);
      position += take;
      rest -= take;
    }
  }

  // Add charges `bytes` of `piece` at `price` to the line of `tier`.
  void Add(const Piece& piece, uint32_t tier, uint64_t bytes, turnpike::Price price) {
    const LineKey key{piece.card, piece.row->region, piece.row->transport, tier};
    const auto [place, is_new] = lines_.try_emplace(key);
    if (is_new) place->second = MakeLine(piece, tier, price);
    place->second.bytes += bytes;
    if (!visitor_) return;
    const auto amount = Cost(*piece.card, bytes, price);
    if (amount) visitor_(*piece.row, {bytes, *amount});
  }

  InvoiceLine MakeLine(const Piece& piece, uint32_t tier, turnpike::Price price) const {
    InvoiceLine line;
    line.kind = tier == 0 ? LineKind::kAllowance : LineKind::kUsage;
    line.region = piece.row->region;
    line.transport = piece.row->transport;
    line.card = piece.card->id;
    line.tier = tier;
    std::string name = "allowance";
    line.sku_price_id = line.card + "/" + name;
    if (tier > 0) {
      name = "tier-" + std::to_string(tier);
      line.rule = RuleName(*piece.rule);
      line.sku_price_id = line.card + "/" + line.rule + "/" + name;
    }
    line.id = invoice_.id + "/" + line.card + "/" + EncodeName(line.region) + "/" +
              EncodeName(line.transport) + "/" + name;
    line.from = std::max(period_.from, piece.card->effective_from);
    line.to = period_.to;
    if (piece.card != &table_.cards.back()) {
      line.to = std::min(line.to, std::next(piece.card)->effective_from);
    }
    line.unit = piece.card->unit;
    line.price = price;
    return line;
  }

  // Cost is exact: a price has 9 decimals, a byte is 10^-9 or 10^-6 of a unit.
  std::optional<Amount> Cost(const RateCard& card, uint64_t bytes, turnpike::Price price) {
    const Int128 per_byte = Int128{price.value()} * (card.unit == RateUnit::kGb ? 1 : 1000);
    const auto cost = CheckedMultiply(per_byte, Int128{bytes});
    if (cost && *cost < kLargestAmount) return Amount(*cost);
    Fail("more money than 10^20 " + table_.currency);
    return std::nullopt;
  }

  void AddToTotal(Amount amount) {
    const auto sum = CheckedAdd(invoice_.total, amount);
    if (sum && sum->value() < kLargestAmount) {
      invoice_.total = *sum;
    } else {
      Fail("more money than 10^20 " + table_.currency);
    }
  }

  // AddMinimum takes over the lines, which are whole now, and adds what lacks to the minimum.
  void AddMinimum() {
    for (auto& [key, line] : lines_) {
      line.amount = Cost(*std::get<0>(key), line.bytes, line.price).value_or(Amount());
      AddToTotal(line.amount);
      invoice_.lines.push_back(std::move(line));
    }
    const RateCard& last = *table_.CardAt(period_.to - kBucketWidth);
    if (invoice_.bytes == 0 || invoice_.total >= last.minimum) return;
    InvoiceLine line = WholePeriodLine(LineKind::kMinimum, last.id + "/minimum");
    line.card = last.id;
    line.amount = Amount(last.minimum.value() - invoice_.total.value());
    AddToTotal(line.amount);
    invoice_.lines.push_back(std::move(line));
  }

  InvoiceLine WholePeriodLine(LineKind kind, std::string sku_price_id) const {
    return LineOf(invoice_, kind, std::move(sku_price_id));
  }

  const RateTable& table_;
  const BillingPeriod& period_;
  const std::vector<UsageRow>& rows_;
  const ChargeVisitor& visitor_;
  Invoice invoice_;
  std::string error_;
  std::vector<Piece> pieces_;
  uint64_t free_used_ = 0;
  std::map<std::tuple<const RateCard*, std::string_view, std::string_view>, Found> found_;
  std::map<std::string, size_t> groups_;  // by RuleName
  std::vector<uint64_t> totals_;          // of each group, for volume
  std::vector<uint64_t> positions_;       // of each group, for graduated
  std::map<LineKey, InvoiceLine> lines_;
};

}  // namespace

std::expected<BillingPeriod, std::string> ParseBillingPeriod(std::string_view text) {
  if (const auto first = ParseDate(std::string(text) + "-01"); first && *first >= WallTime()) {
    BillingPeriod period = BillingPeriodOf(*first);
    if (period.name == text) return period;
  }
  return std::unexpected("\"" + EscapeText(text) + "\" is not a month; write it like 2026-11");
}

BillingPeriod BillingPeriodOf(WallTime time) {
  const std::chrono::year_month_day date(std::chrono::floor<days>(time));
  return MonthPeriod(date.year() / date.month());
}

std::string_view LineKindName(LineKind kind) {
  switch (kind) {
    case LineKind::kUsage:
      return "usage";
    case LineKind::kAllowance:
      return "allowance";
    case LineKind::kMinimum:
      return "minimum";
    case LineKind::kRounding:
      break;
  }
  return "rounding";
}

std::string DescribeLine(const InvoiceLine& line) {
  if (!line.corrects.empty()) {
    InvoiceLine corrected = line;
    corrected.corrects.clear();
    return "Correction of " + line.corrects.substr(0, line.corrects.find('/')) + ": " +
           DescribeLine(corrected);
  }
  const std::string transfer = "Data transfer, " + line.region + ", " + line.transport;
  switch (line.kind) {
    case LineKind::kUsage:
      return transfer + ", tier " + std::to_string(line.tier);
    case LineKind::kAllowance:
      return transfer + ", free allowance";
    case LineKind::kMinimum:
      return "Minimum charge of the period";
    case LineKind::kRounding:
      break;
  }
  return "Rounding of the total";
}

std::string InvoiceId(const BillingPeriod& period, std::string_view account) {
  return period.name + "/" + EncodeName(account);
}

std::expected<Invoice, std::string> AddCorrections(Invoice invoice,
                                                   std::vector<InvoiceLine> corrections) {
  if (corrections.empty()) return invoice;
  if (!invoice.lines.empty() && invoice.lines.back().kind == LineKind::kRounding) {
    invoice.total = Amount(invoice.total.value() - invoice.lines.back().amount.value());
    invoice.lines.pop_back();
  }
  for (InvoiceLine& line : corrections) {
    const auto sum = CheckedAdd(invoice.total, line.amount);
    if (!sum || sum->value() >= kLargestAmount || sum->value() <= -kLargestAmount) {
      return std::unexpected("cannot correct " + invoice.id + ": more money than 10^20 " +
                             invoice.currency);
    }
    invoice.total = *sum;
    invoice.lines.push_back(std::move(line));
  }
  AddRounding(invoice);
  return invoice;
}

std::expected<Invoice, std::string> RateAccount(const RateTable& table, const BillingPeriod& period,
                                                const std::string& account,
                                                std::vector<UsageRow> rows,
                                                const ChargeVisitor& visitor) {
  std::ranges::sort(rows, [](const UsageRow& a, const UsageRow& b) {
    return std::tie(a.bucket, a.region, a.transport, a.label) <
           std::tie(b.bucket, b.region, b.transport, b.label);
  });
  return Rater(table, period, account, rows, visitor).Run();
}

}  // namespace turnpike
