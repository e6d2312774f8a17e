// Periods of billing: months of UTC that are closed once and never edited. What comes late is a
// correction in the next period that is open.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/sha256.h"
#include "common/base/time.h"
#include "common/metering/billing_file.h"
#include "common/metering/rate_card.h"
#include "common/metering/usage.h"

namespace turnpike {

// BillingMonth is one month of UTC.
struct BillingMonth {
  std::string name;     // 2026-11
  BucketIndex first{};  // its first bucket
  BucketIndex end{};    // the first bucket after it
};

// ParseMonth reads `2026-11`. It fails with a sentence that says what was expected.
std::expected<BillingMonth, std::string> ParseMonth(std::string_view text);

// MonthOf returns the month that holds `bucket`.
BillingMonth MonthOf(BucketIndex bucket);

// PeriodState: a period is open while usage can happen in it, in grace while it may still arrive
// from nodes that lag, ready when it can be closed, closed when it was.
enum class PeriodState : uint8_t { kOpen, kGrace, kReady, kClosed };

// PeriodStateName returns the lower case name without the k.
std::string_view PeriodStateName(PeriodState state);

// PeriodStatus is what `usage periods` shows of a month.
struct PeriodStatus {
  BillingMonth month;
  PeriodState state = PeriodState::kOpen;
  WallTime as_of{};             // of the ledger; when closed: as it was then
  bool complete = false;        // the ledger says that nothing can be added any more
  UsageTotals totals;           // what the ledger has now
  uint64_t sessions = 0;        // that started in it
  int64_t billed_bytes = 0;     // what was frozen at the close, without corrections
  int64_t corrected_bytes = 0;  // of earlier periods, billed in this one
  int64_t late_bytes = 0;       // usage of this closed period that no entry holds yet
  std::optional<WallTime> closed_at;
  std::string closed_by;
};

// BillingRequest is what the commands have in common. `now` decides only for a ledger that was
// closed cleanly, which says nothing of the time since.
struct BillingRequest {
  std::string ledger;  // a metering directory, or a merged file
  std::string actor;
  std::string reason;  // of corrections
  Duration grace{};
  WallTime now{};
  bool allow_less = false;           // corrections may take back what the ledger has no more
  const RateTable* rates = nullptr;  // when set, closing freezes every account's invoice
  std::string rates_hash;            // SHA-256 of the file of rates, as hexadecimal digits
  std::string vfs;                   // for tests
};

// CloseResult says what closing did.
struct CloseResult {
  bool was_closed = false;     // before: nothing was changed
  uint64_t rows = 0;           // of usage, frozen
  uint64_t corrections = 0;    // of earlier periods
  uint64_t invoices = 0;       // frozen line by line
  uint64_t late = 0;           // rows of closed periods that changed and are not corrected yet
  int64_t billable_bytes = 0;  // of the rows and the corrections
  Sha256Digest head{};         // of the chain: note it down, and hold it against `usage verify`
};

// ListPeriods lists every month that has usage or was closed, the oldest first.
std::expected<std::vector<PeriodStatus>, std::string> ListPeriods(const BillingRequest& request);

// ClosePeriod freezes the usage of `month`, after corrections for what came late to earlier ones.
// It fails with a sentence, and changes nothing, while the month is not over or in grace, and while
// an earlier one with usage is open. Closing again changes nothing.
std::expected<CloseResult, std::string> ClosePeriod(const BillingRequest& request,
                                                    const BillingMonth& month);

// CorrectPeriods books what came late to closed periods into the next open one, now. It fails
// when nothing was closed yet.
std::expected<CloseResult, std::string> CorrectPeriods(const BillingRequest& request);

}  // namespace turnpike
