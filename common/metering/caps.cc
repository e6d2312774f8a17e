#include "common/metering/caps.h"

#include <algorithm>
#include <chrono>

namespace turnpike {
namespace {

constexpr uint32_t kBucketsPerDay = std::chrono::days(1) / kBucketWidth;

uint32_t DayOf(BucketIndex bucket) { return bucket.value() / kBucketsPerDay; }

// Permille returns how far `limit` is used; a limit of nothing is reached by anything.
uint64_t Permille(Int128 used, Int128 limit) {
  constexpr Int128 kMost = 1'000'000'000;  // a million times the cap
  if (used <= 0) return 0;
  if (limit <= 0 || used / limit >= kMost / 1000) return static_cast<uint64_t>(kMost);
  // Both divided alike where the product would not fit.
  while (used > INT64_MAX) {
    used /= 2;
    limit /= 2;
  }
  return static_cast<uint64_t>(used * 1000 / std::max<Int128>(limit, 1));
}

void Insert(std::vector<CappedUse>& list, const CappedUse& use) {
  const auto place = std::ranges::lower_bound(list, use);
  if (place == list.end() || *place != use) list.insert(place, use);
}

}  // namespace

std::string_view CapPeriodName(CapPeriod period) {
  return period == CapPeriod::kDay ? "day" : "month";
}

std::string_view CapActionName(CapAction action) {
  switch (action) {
    case CapAction::kWarn:
      return "warn";
    case CapAction::kRefuse:
      return "refuse";
    case CapAction::kEnd:
      return "end";
  }
  return "";
}

CapBook::CapBook(std::vector<Cap> caps, std::optional<RateTable> rates)
    : caps_(std::move(caps)),
      rates_(std::move(rates)),
      in_money_(rates_ &&
                std::ranges::any_of(caps_, [](const Cap& c) { return c.money.has_value(); })) {}

bool CapBook::Concerns(const Cap& cap, const std::string& account) const {
  return cap.account == kEveryAccount || cap.account == account;
}

void CapBook::Add(const std::string& account, const UsageRow& row) {
  if (std::ranges::none_of(caps_, [&](const Cap& cap) { return Concerns(cap, account); })) return;
  const WallTime start = BillingPeriodOf(BucketStart(row.bucket)).from;
  Month& month = months_[{start, account}];
  month.bytes[{row.label, DayOf(row.bucket)}] += row.totals.billable_bytes();
  if (!in_money_) return;
  UsageTotals& totals = month.rows[{RowBucket(row.bucket), row.region, row.transport, row.label}];
  for (size_t i = 0; i < kDirectionCount; ++i) {
    totals.payload_bytes[i] += row.totals.payload_bytes[i];
    totals.wire_bytes[i] += row.totals.wire_bytes[i];
    totals.packets[i] += row.totals.packets[i];
  }
}

BucketIndex CapBook::RowBucket(BucketIndex bucket) const {
  const BucketIndex day(DayOf(bucket) * kBucketsPerDay);
  const RateCard* const card = rates_->CardAt(BucketStart(bucket));
  if (card == nullptr) return day;
  return std::max(day, BucketOf(card->effective_from));
}

CapJudgement CapBook::Judge(WallTime now) {
  CapJudgement judgement;
  const WallTime start = BillingPeriodOf(now).from;
  const uint32_t long_over = DayOf(BucketOf(start - std::chrono::days(40)));
  std::erase_if(logged_, [&](const auto& each) { return std::get<2>(each.first) < long_over; });
  // A clock that steps back finds the months that it comes back to, unless they are long over.
  std::erase_if(months_,
                [&](const auto& each) { return each.first.first + std::chrono::days(40) < start; });
  for (const auto& [key, month] : months_) {
    if (key.first == start) JudgeAccount(key.second, month, now, judgement);
  }
  return judgement;
}

uint64_t CapBook::UsedBytes(const Cap& cap, const Month& month, uint32_t today) const {
  uint64_t used = 0;
  for (const auto& [key, bytes] : month.bytes) {
    const auto& [label, day] = key;
    if (cap.label && *cap.label != label) continue;
    if (cap.period == CapPeriod::kDay && day != today) continue;
    used += std::min(bytes, UINT64_MAX - used);
  }
  return used;
}

std::map<const Cap*, Amount> CapBook::UsedMoney(const std::string& account, const Month& month,
                                                WallTime now, CapJudgement& judgement) const {
  std::map<const Cap*, Amount> used;
  // Of a month that cards cover in part, that part is priced: a cap that holds too little is better
  // than none.
  BillingPeriod period = BillingPeriodOf(now);
  const BillingPeriod whole = period;
  period.from = std::max(period.from, rates_->cards.front().effective_from);
  period.to = std::min(period.to, rates_->cards.back().effective_to.value_or(period.to));
  if (period != whole) {
    judgement.errors.push_back(account + ": no card is in force during a part of " + whole.name +
                               "; what is relayed then counts nothing");
  }
  if (period.from >= period.to) return used;
  std::vector<UsageRow> rows;
  for (const auto& [key, totals] : month.rows) {
    const auto& [bucket, region, transport, label] = key;
    if (BucketStart(bucket) < period.from || BucketStart(bucket) >= period.to) continue;
    rows.push_back({bucket, region, transport, label, totals});
  }
  const uint32_t today = DayOf(BucketOf(now));
  const auto invoice = RateAccount(
      *rates_, period, account, std::move(rows), [&](const UsageRow& row, const Charge& charge) {
        for (const Cap& cap : caps_) {
          if (!cap.money || !Concerns(cap, account)) continue;
          if (cap.label && *cap.label != row.label) continue;
          if (cap.period == CapPeriod::kDay && DayOf(row.bucket) != today) continue;
          Amount& sum = used[&cap];
          sum = CheckedAdd(sum, charge.amount).value_or(sum);
        }
      });
  if (!invoice) judgement.errors.push_back(account + ": " + invoice.error());
  return used;
}

void CapBook::JudgeAccount(const std::string& account, const Month& month, WallTime now,
                           CapJudgement& judgement) {
  const uint32_t today = DayOf(BucketOf(now));
  const uint32_t first_day = DayOf(BucketOf(BillingPeriodOf(now).from));
  const bool priced = in_money_ && std::ranges::any_of(caps_, [&](const Cap& cap) {
                        return cap.money.has_value() && Concerns(cap, account);
                      });
  const auto money =
      priced ? UsedMoney(account, month, now, judgement) : std::map<const Cap*, Amount>();
  for (size_t i = 0; i < caps_.size(); ++i) {
    const Cap& cap = caps_[i];
    if (!Concerns(cap, account)) continue;
    uint64_t permille = 0;
    if (cap.bytes) {
      permille = Permille(UsedBytes(cap, month, today), *cap.bytes);
    } else if (const auto sum = money.find(&cap); sum != money.end()) {
      permille = Permille(sum->second.value(), cap.money->value());
    }
    Note(i, account, permille, cap.period == CapPeriod::kDay ? today : first_day, judgement);
  }
}

void CapBook::Note(size_t index, const std::string& account, uint64_t permille, uint32_t since,
                   CapJudgement& judgement) {
  const Cap& cap = caps_[index];
  judgement.uses.push_back({index, account, permille});
  uint32_t& logged = logged_[{index, account, since}];
  uint32_t reached = 0;
  for (const uint32_t percent : cap.warn_at) {
    if (permille >= uint64_t{percent} * 10) reached = std::max(reached, percent);
  }
  if (reached > logged) {
    judgement.crossings.push_back({judgement.uses.back(), reached});
    logged = reached;
  }
  if (permille < 1000 || cap.action == CapAction::kWarn) return;
  Insert(judgement.refused, {account, cap.label});
  if (cap.action == CapAction::kEnd) Insert(judgement.ended, {account, cap.label});
}

}  // namespace turnpike
