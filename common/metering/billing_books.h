// The books of closed months: what the entries of billing.db add up to, held against the ledger.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "common/base/time.h"
#include "common/metering/billing_file.h"
#include "common/metering/rating.h"
#include "common/metering/sqlite.h"

namespace turnpike {

// UsageKey is what usage is frozen by: account, region, transport, label.
using UsageKey = std::tuple<std::string, std::string, std::string, std::string>;

// Frozen is what entries hold of a key's usage in a period.
struct Frozen {
  int64_t original = 0;  // the entry of kind usage
  BilledCounts counts{};
};

// ClosedPeriod is what the entries say of one period.
struct ClosedPeriod {
  bool closed = false;
  bool has_invoices = false;  // they were frozen
  WallTime closed_at{};
  WallTime as_of{};
  std::string closed_by;
  int64_t billed_bytes = 0;
  int64_t corrected_bytes = 0;         // of earlier periods, billed in this one
  int64_t unpriced_bytes = 0;          // of those, without an amount
  std::map<UsageKey, Frozen> frozen;   // usage of this period, with its corrections
  std::set<std::string> to_be_priced;  // accounts whose corrections of this period are not priced
};

// Books is the billing file as a whole: periods by name.
using Books = std::map<std::string, ClosedPeriod>;

// Late is usage of a closed period that its entries do not hold, or, where it is negative, that
// they hold and the ledger has no more.
struct Late {
  std::string period;
  UsageKey key;
  int64_t original = 0;
  BilledCounts counts{};  // the difference

  // IsLoss says that the ledger has less of anything.
  bool IsLoss() const;
};

// LedgerView is the reader's side: one transaction on usage.db.
struct LedgerView {
  std::unique_ptr<Database> database;
  WallTime as_of{};
  bool is_closed = false;  // cleanly
};

// Billable returns the payload bytes of `counts`.
inline int64_t Billable(const BilledCounts& counts) { return counts[0] + counts[1]; }

// ReadLedger begins a transaction. It fails with a sentence that names the file.
std::expected<LedgerView, std::string> ReadLedger(const std::string& ledger);

// ReadUsage returns what the ledger has for `month`; look at ok() of the database.
std::map<UsageKey, BilledCounts> ReadUsage(Database& ledger, const BillingPeriod& month);

// ReadMonths lists the months that have usage, the oldest first: one look into the key per month.
std::vector<BillingPeriod> ReadMonths(Database& ledger);

// ReadBooks adds up the entries; look at ok() of the database.
Books ReadBooks(BillingFile& file);

// FindLate compares every closed period with the ledger.
std::vector<Late> FindLate(const Books& books, Database& ledger);

}  // namespace turnpike
