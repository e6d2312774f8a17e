// The price of corrections: what an invoice that was frozen lacks, once late usage is known.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <string>

#include "common/metering/billing.h"
#include "common/metering/billing_file.h"

namespace turnpike {

// PriceCorrections rates the closed month `original` anew for the accounts in `billable`, whose
// invoices of it were frozen, and appends what differs from all that they were invoiced for it as
// lines of the period of `base`; then the sum, also when nothing differs. Tiers, allowance and
// minimum thus come out as if the usage had been known in time; bytes may move from one line to
// another. `billable` is what the books hold of each account's usage in that month: the ledger must
// still say so. Returns the number of lines. It fails with a sentence when a line has another price
// now than it was invoiced with.
std::expected<uint64_t, std::string> PriceCorrections(
    const BillingRequest& request, const BillingEntry& base, const std::string& original,
    const std::map<std::string, int64_t>& billable, BillingFile& file);

}  // namespace turnpike
