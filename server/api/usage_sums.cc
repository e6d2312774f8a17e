#include "server/api/usage_sums.h"

#include "common/metering/rating.h"
#include "common/metering/usage_rows.h"

namespace turnpike {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

std::pair<sys_days, std::string> KeyOf(const UsageRow& row) {
  return {std::chrono::floor<days>(BucketStart(row.bucket)), row.region};
}

void AddMonth(DailyUsage& sums, const BillingPeriod& month, const std::string& account,
              const std::vector<UsageRow>& rows, const RateTable* rates) {
  if (rates != nullptr) {
    DailyUsage priced;
    const auto invoice =
        RateAccount(*rates, month, account, rows, [&](const UsageRow& row, const Charge& charge) {
          priced[KeyOf(row)].Add({charge.bytes, charge.amount});
        });
    if (invoice) {
      sums.merge(priced);
      return;
    }
  }
  for (const UsageRow& row : rows) {
    sums[KeyOf(row)].Add({row.totals.billable_bytes(), Amount{}, false});
  }
}

}  // namespace

void UsageSum::Add(const UsageSum& more) {
  bytes += more.bytes;
  // Beyond 10^20 units there is no invoice either.
  amount = CheckedAdd(amount, more.amount).value_or(amount);
  is_priced = is_priced && more.is_priced;
}

DailyUsage SumByDay(const std::vector<UsageRow>& rows, const std::string& account,
                    const RateTable* rates) {
  std::map<std::string, std::pair<BillingPeriod, std::vector<UsageRow>>> months;
  for (const UsageRow& row : rows) {
    const BillingPeriod month = BillingPeriodOf(BucketStart(row.bucket));
    auto& entry = months[month.name];
    entry.first = month;
    entry.second.push_back(row);
  }
  DailyUsage sums;
  for (const auto& [name, month] : months) {
    AddMonth(sums, month.first, account, month.second, rates);
  }
  return sums;
}

std::expected<AccountDays, std::string> ReadDays(const std::string& ledger,
                                                 const std::string& account,
                                                 std::optional<sys_days> first, sys_days last,
                                                 const RateTable* rates) {
  Period period{std::nullopt, last + days(1)};
  if (first) period.from = BillingPeriodOf(*first).from;
  auto usage = ReadUsageRows(ledger, period, account, UnknownAccount::kNoUsage);
  if (!usage) return std::unexpected(usage.error());
  return AccountDays{SumByDay(usage->accounts[account], account, rates), usage->scope.as_of};
}

UsageSum SumOf(const DailyUsage& daily, sys_days first, sys_days last, std::string_view region) {
  UsageSum sum;
  for (auto day = daily.lower_bound({first, ""}); day != daily.end(); ++day) {
    if (day->first.first > last) break;
    if (region.empty() || day->first.second == region) sum.Add(day->second);
  }
  return sum;
}

std::string FormatMegabytes(uint64_t bytes) { return FormatDecimal(static_cast<Int128>(bytes), 6); }

}  // namespace turnpike
