#include "common/metering/reading.h"

#include "common/metering/ledger_schema.h"
#include "common/metering/split.h"

namespace turnpike {

ReadingBounds::ReadingBounds(const Period& period) {
  if (period.from) {
    first_bucket = BucketOf(*period.from).value();
    from = period.from->time_since_epoch().count();
  }
  if (period.to) {
    end_bucket = BucketOf(*period.to).value();
    to = period.to->time_since_epoch().count();
  }
}

std::expected<std::unique_ptr<Database>, std::string> BeginReading(const std::string& ledger,
                                                                   const Period& period,
                                                                   ReportScope& scope) {
  auto database = OpenLedgerForReading(ledger);
  if (!database) return database;
  (*database)->Exec("BEGIN");
  Statement meta(**database, "SELECT as_of, state = 'closed' FROM meta");
  scope.period = period;
  if (meta.Step()) {
    scope.as_of = WallTime(std::chrono::microseconds(meta.Int(0)));
    scope.complete = meta.Int(1) != 0 || (period.to && *period.to <= scope.as_of);
  }
  if (!(*database)->ok()) return std::unexpected("cannot read " + (*database)->error());
  return database;
}

UsageTotals ReadTotals(const Statement& statement, int column) {
  Sums sums{};
  for (uint64_t& sum : sums) sum = statement.Total(column++);
  return FromSums(sums);
}

void AddTotals(UsageTotals& sum, const UsageTotals& more) {
  for (size_t d = 0; d < kDirectionCount; ++d) {
    sum.payload_bytes[d] += more.payload_bytes[d];
    sum.wire_bytes[d] += more.wire_bytes[d];
    sum.packets[d] += more.packets[d];
  }
}

}  // namespace turnpike
