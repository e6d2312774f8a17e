// The invoices of a month, as they are to be shown: frozen ones as they were frozen, others priced
// from the ledger, with the corrections of earlier months that are booked into it.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "common/metering/rate_card.h"
#include "common/metering/rating.h"
#include "common/metering/report.h"
#include "common/metering/usage_rows.h"

namespace turnpike {

// InvoiceSet is what one look at ledger and books saw.
struct InvoiceSet {
  ReportScope scope;
  bool frozen = false;  // when the month was closed: the ledger's usage of it since is not in them
  std::vector<Invoice> invoices;  // by account; of accounts with usage or corrections, or the one
};

// ReadInvoices returns the invoices of `period`, of one account or of all. It fails with a sentence
// that names the file, or the account that is unknown.
std::expected<InvoiceSet, std::string> ReadInvoices(
    const std::string& ledger, const RateTable& rates, const BillingPeriod& period,
    const std::optional<std::string>& account, UnknownAccount unknown = UnknownAccount::kError);

}  // namespace turnpike
