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
#include "common/metering/rating.h"
#include "common/metering/usage.h"

namespace turnpike {

// PeriodState: a period is open while usage can happen in it, in grace while it may still arrive
// from nodes that lag, ready when it can be closed, closed when it was.
enum class PeriodState : uint8_t { kOpen, kGrace, kReady, kClosed };

// PeriodStateName returns the lower case name without the k.
std::string_view PeriodStateName(PeriodState state);

// PeriodStatus is what `usage periods` shows of a month.
struct PeriodStatus {
  BillingPeriod month;
  PeriodState state = PeriodState::kOpen;
  WallTime as_of{};             // of the ledger; when closed: as it was then
  bool complete = false;        // the ledger says that nothing can be added any more
  UsageTotals totals;           // what the ledger has now
  uint64_t sessions = 0;        // that started in it
  int64_t billed_bytes = 0;     // what was frozen at the close, without corrections
  int64_t corrected_bytes = 0;  // of earlier periods, billed in this one
  int64_t late_bytes = 0;       // usage of this closed period that no entry holds yet
  int64_t lost_bytes = 0;       // what was closed and is in the ledger no more; not in late_bytes
  std::string first_loss;       // whose that is: the first row with less of anything
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
  bool allow_less = false;  // corrections may take back what the ledger has no more
  // When set, closing freezes every account's invoice, and corrections of months whose invoices
  // were frozen are priced.
  const RateTable* rates = nullptr;
  std::string rates_hash;  // SHA-256 of the file of rates, as hexadecimal digits
  std::string vfs;         // for tests
};

// CloseResult says what closing did.
struct CloseResult {
  bool was_closed = false;     // before: nothing was changed
  uint64_t rows = 0;           // of usage, frozen
  uint64_t corrections = 0;    // of earlier periods
  uint64_t invoices = 0;       // frozen line by line
  uint64_t late = 0;           // rows of closed periods that changed and are not corrected yet
  uint64_t priced = 0;         // lines that corrections added to invoices
  int64_t billable_bytes = 0;  // of the rows and the corrections
  Sha256Digest head{};         // of the chain: note it down, and hold it against `usage verify`
};

// ListPeriods lists every month that has usage or was closed, the oldest first.
std::expected<std::vector<PeriodStatus>, std::string> ListPeriods(const BillingRequest& request);

// ClosePeriod freezes the usage of `month`, after corrections for what came late to earlier ones.
// It fails with a sentence, and changes nothing, while the month is not over or in grace, and while
// an earlier one with usage is open. Closing again changes nothing, except that a month that was
// closed without rates gets its invoices, as long as the ledger has what was closed.
std::expected<CloseResult, std::string> ClosePeriod(const BillingRequest& request,
                                                    const BillingPeriod& month);

// PeriodBooks is what the books say of one month: what `usage invoice` has to know.
struct PeriodBooks {
  bool closed = false;
  int64_t billed_bytes = 0;    // frozen at the close, without corrections
  int64_t later_bytes = 0;     // what the ledger has of it beyond that; of a closed month
  int64_t unpriced_bytes = 0;  // corrections of earlier months in this one without an amount
};

// ReadPeriodBooks reads the books of one month; all zero when nothing was closed yet.
std::expected<PeriodBooks, std::string> ReadPeriodBooks(const std::string& ledger,
                                                        const BillingPeriod& month);

// ReadCorrections lists what was booked as a correction so far, the oldest first.
std::expected<std::vector<BillingEntry>, std::string> ReadCorrections(const std::string& ledger);

// CorrectPeriods books what came late to closed periods into the next open one, now. It fails
// when nothing was closed yet.
std::expected<CloseResult, std::string> CorrectPeriods(const BillingRequest& request);

}  // namespace turnpike
