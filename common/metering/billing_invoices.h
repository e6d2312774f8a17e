// The rated side of a close: every account's invoice, frozen line by line.
#pragma once

#include <expected>
#include <map>
#include <string>

#include "common/metering/billing.h"
#include "common/metering/billing_file.h"

namespace turnpike {

// FreezeInvoices rates the month of `close` (its period, actor and times are taken over) for every
// account with usage, and appends each line of each invoice, then its total. `billable` is what was
// frozen of each account: the ledger must still say so. Returns how many invoices there are; fails
// with a sentence.
std::expected<uint64_t, std::string> FreezeInvoices(const BillingRequest& request,
                                                    const BillingEntry& close,
                                                    const std::map<std::string, int64_t>& billable,
                                                    BillingFile& file);

}  // namespace turnpike
