// FOCUS 1.2 (FinOps Open Cost and Usage Specification): charges as rows of CSV.
//
// One row is one line of an invoice, unrounded: PricingQuantity × ContractedUnitPrice =
// ContractedCost, exactly. What rounding adds to an invoice is one row of category Adjustment, so
// that the BilledCost of an InvoiceId adds up to that invoice. A minimum charge is a Purchase.
#pragma once

#include <ostream>
#include <span>
#include <string_view>

#include "common/metering/rate_card.h"
#include "common/metering/rating.h"
#include "common/metering/report.h"

namespace turnpike {

// WriteFocus writes a header and the lines of `invoices`, which `table` priced. Null is an empty
// field; text that a spreadsheet would take for a formula gets an apostrophe in front. Own columns
// begin with x_ and stand last.
void WriteFocus(const RateTable& table, const ReportScope& scope, std::span<const Invoice> invoices,
                std::ostream& out);

}  // namespace turnpike
