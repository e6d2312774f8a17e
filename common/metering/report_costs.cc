#include "common/metering/report_costs.h"

#include <map>
#include <utility>
#include <vector>

#include "common/metering/rating.h"
#include "common/metering/reading.h"
#include "common/metering/usage_rows.h"

namespace turnpike {
namespace {

// WholeMonths returns the months that `period` touches.
Period WholeMonths(const Period& period) {
  Period months;
  if (period.from) months.from = BillingPeriodOf(*period.from).from;
  if (period.to) months.to = BillingPeriodOf(*period.to - kBucketWidth).to;
  return months;
}

}  // namespace

std::expected<void, std::string> AddCosts(Database& database, const ReportQuery& query,
                                          ReportGroups& groups) {
  auto usage = ReadUsageRows(database, WholeMonths(query.period), std::nullopt);
  if (!usage) return std::unexpected(usage.error());
  const ReadingBounds bounds(query.period);
  bool fits = true;
  for (auto& [account, rows] : *usage) {
    std::map<WallTime, std::vector<UsageRow>> months;
    for (UsageRow& row : rows) {
      months[BillingPeriodOf(BucketStart(row.bucket)).from].push_back(std::move(row));
    }
    rows.clear();
    for (auto& [start, month] : months) {
      const auto invoice = RateAccount(
          *query.rates, BillingPeriodOf(start), account, std::move(month),
          [&](const UsageRow& row, const Charge& charge) {
            const int64_t bucket = row.bucket.value();
            if (bucket < bounds.first_bucket || bucket >= bounds.end_bucket) return;
            Amount& cost =
                groups.At(row.bucket, {account, row.region, row.transport, row.label, {}}).cost;
            const auto sum = CheckedAdd(cost, charge.amount);
            fits = fits && sum.has_value();
            cost = sum.value_or(cost);
          });
      if (!invoice) return std::unexpected(invoice.error());
    }
  }
  if (!fits) return std::unexpected("the costs are more than 128 bits count");
  return {};
}

}  // namespace turnpike
