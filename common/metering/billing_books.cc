#include "common/metering/billing_books.h"

#include <algorithm>

#include "common/metering/ledger_schema.h"
#include "common/metering/totals_sql.h"

namespace turnpike {
namespace {

using std::chrono::microseconds;

bool IsZero(const BilledCounts& counts) {
  return std::ranges::all_of(counts, [](int64_t count) { return count == 0; });
}

void Add(BilledCounts& sum, const BilledCounts& counts, int64_t sign = 1) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += sign * counts[i];
}

// Corrected is what was booked for one account of a closed period.
struct Corrected {
  int64_t priced_by = 0;  // the newest entry that prices it
  std::vector<std::tuple<int64_t, std::string, int64_t>> bookings;  // entry, period, bytes
};

}  // namespace

bool Late::IsLoss() const {
  return std::ranges::any_of(counts, [](int64_t count) { return count < 0; });
}

std::expected<LedgerView, std::string> ReadLedger(const std::string& ledger) {
  auto database = OpenLedgerForReading(ledger);
  if (!database) return std::unexpected(database.error());
  LedgerView view;
  view.database = std::move(*database);
  view.database->Exec("BEGIN");
  Statement meta(*view.database, "SELECT as_of, state = 'closed' FROM meta");
  if (meta.Step()) {
    view.as_of = WallTime(microseconds(meta.Int(0)));
    view.is_closed = meta.Int(1) != 0;
  }
  if (!view.database->ok()) return std::unexpected("cannot read " + view.database->error());
  return view;
}

std::map<UsageKey, BilledCounts> ReadUsage(Database& ledger, const BillingPeriod& month) {
  std::map<UsageKey, BilledCounts> usage;
  Statement rows(ledger, "SELECT account.name, region, transport, label, " + EachTotal("sum($)") +
                             ", sum(sessions) FROM usage_bucket JOIN account ON account.key = "
                             "account WHERE bucket >= ? AND bucket < ? GROUP BY 1, 2, 3, 4");
  rows.Bind(BucketOf(month.from).value(), BucketOf(month.to).value());
  while (rows.Step()) {
    BilledCounts counts;
    for (size_t i = 0; i < counts.size(); ++i) counts[i] = rows.Int(4 + static_cast<int>(i));
    usage[{rows.Bytes(0), rows.Bytes(1), rows.Bytes(2), rows.Bytes(3)}] = counts;
  }
  return usage;
}

std::vector<BillingPeriod> ReadMonths(Database& ledger) {
  std::vector<BillingPeriod> months;
  Statement next(ledger, "SELECT min(bucket) FROM usage_bucket WHERE bucket >= ?");
  int64_t from = 0;
  while (next.Bind(from).Step() && !next.IsNull(0)) {
    const BucketIndex bucket(static_cast<uint32_t>(next.Int(0)));
    months.push_back(BillingPeriodOf(BucketStart(bucket)));
    from = BucketOf(months.back().to).value();
    next.Step();
  }
  return months;
}

Books ReadBooks(BillingFile& file) {
  Books books;
  std::map<std::pair<std::string, std::string>, Corrected> corrected;  // original period, account
  file.Walk([&](const BillingEntry& entry) {
    ClosedPeriod& period = books[entry.period];
    const UsageKey key = {entry.account, entry.region, entry.transport, entry.label};
    if (entry.kind == EntryKind::kUsage) {
      period.frozen[key] = {entry.number, entry.counts};
      period.billed_bytes += Billable(entry.counts);
    } else if (entry.kind == EntryKind::kCorrection) {
      Add(books[entry.original_period].frozen[key].counts, entry.counts);
      books[entry.period].corrected_bytes += Billable(entry.counts);
      corrected[{entry.original_period, entry.account}].bookings.emplace_back(
          entry.number, entry.period, Billable(entry.counts));
    } else if (entry.kind == EntryKind::kInvoice && entry.original_period.empty()) {
      period.has_invoices = true;
    } else if (entry.kind == EntryKind::kInvoice) {
      corrected[{entry.original_period, entry.account}].priced_by = entry.number;
    } else if (entry.kind == EntryKind::kClose) {
      period.closed = true;
      period.closed_at = entry.at;
      period.as_of = entry.as_of;
      period.closed_by = entry.actor;
    }
    return true;
  });
  for (const auto& [key, each] : corrected) {
    for (const auto& [number, period, bytes] : each.bookings) {
      if (number < each.priced_by) continue;
      books[period].unpriced_bytes += bytes;
      books[key.first].to_be_priced.insert(key.second);
    }
  }
  return books;
}

std::vector<Late> FindLate(const Books& books, Database& ledger) {
  std::vector<Late> late;
  for (const auto& [name, period] : books) {
    if (!period.closed) continue;
    std::map<UsageKey, Late> differences;
    for (const auto& [key, counts] : ReadUsage(ledger, *ParseBillingPeriod(name))) {
      differences[key] = {name, key, 0, counts};
    }
    for (const auto& [key, frozen] : period.frozen) {
      Late& difference = differences.try_emplace(key, Late{name, key, 0, {}}).first->second;
      difference.original = frozen.original;
      Add(difference.counts, frozen.counts, -1);
    }
    for (auto& [key, difference] : differences) {
      if (!IsZero(difference.counts)) late.push_back(std::move(difference));
    }
  }
  return late;
}

}  // namespace turnpike
