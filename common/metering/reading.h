// What every reader of a ledger begins with: one read transaction, a scope, and a period as the
// ledger stores time.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "common/metering/report.h"
#include "common/metering/sqlite.h"
#include "common/metering/usage.h"

namespace turnpike {

// ReadingBounds are a period in buckets and in microseconds since 1970; both ends are half-open.
struct ReadingBounds {
  int64_t first_bucket = 0;
  int64_t end_bucket = int64_t{kNoBucket.value()};
  int64_t from = INT64_MIN;
  int64_t to = INT64_MAX;

  explicit ReadingBounds(const Period& period);
};

// BeginReading opens the ledger at `ledger` (a directory, or a file), begins the transaction of the
// report, and sets `scope`. It fails with a sentence that names the file.
std::expected<std::unique_ptr<Database>, std::string> BeginReading(const std::string& ledger,
                                                                   const Period& period,
                                                                   ReportScope& scope);

// ReadTotals reads the six totals, which stand in their usual order from `column` on.
UsageTotals ReadTotals(const Statement& statement, int column);

// AddTotals adds `more` to `sum`.
void AddTotals(UsageTotals& sum, const UsageTotals& more);

}  // namespace turnpike
