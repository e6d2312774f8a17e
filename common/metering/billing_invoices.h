// The rated side of the books: invoices, frozen line by line, and read back.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/metering/billing.h"
#include "common/metering/billing_file.h"
#include "common/metering/rating.h"

namespace turnpike {

// FreezeInvoices rates the month of `base` (its period, actor and times are taken over) for every
// account with usage or corrections, and appends each line of each invoice, then its total.
// `billable` is what was frozen of each account: the ledger must still say so. Returns how many
// invoices there are; fails with a sentence.
std::expected<uint64_t, std::string> FreezeInvoices(const BillingRequest& request,
                                                    const BillingEntry& base,
                                                    const std::map<std::string, int64_t>& billable,
                                                    BillingFile& file);

// AppendLine writes a line of `invoice` as an entry like `base`.
void AppendLine(const BillingRequest& request, BillingEntry base, const Invoice& invoice,
                const InvoiceLine& line, BillingFile& file);

// AppendSum writes the end of an invoice (`total`), or of the corrections of one month in it
// (`corrections`).
void AppendSum(const BillingRequest& request, BillingEntry base, const Invoice& invoice,
               std::string_view kind, Amount amount, BillingFile& file);

// AddToLine adds bytes and amount of `more` to `line`, or takes them away (`sign` -1).
void AddToLine(InvoiceLine& line, const InvoiceLine& more, int sign = 1);

// StoredInvoices are what entries say of one month, by account.
struct StoredInvoices {
  std::map<std::string, Invoice> invoices;                      // when frozen: with its corrections
  std::map<std::string, std::vector<InvoiceLine>> corrections;  // of earlier months, in this one
};

// ReadStoredInvoices reads the month `period`. It fails with a sentence that names the entry when
// one is not as this program writes them.
std::expected<StoredInvoices, std::string> ReadStoredInvoices(BillingFile& file,
                                                              const BillingPeriod& period);

// ReadInvoiced reads what an account was invoiced for its usage of the month `period` so far, by
// line: the frozen invoice and every correction of it. Lines of one id are added up; minimums too,
// no rounding.
std::expected<std::map<std::string, InvoiceLine>, std::string> ReadInvoiced(
    BillingFile& file, const BillingPeriod& period, const std::string& account);

}  // namespace turnpike
