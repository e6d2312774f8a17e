// Explaining an invoice's line: the sessions that its bytes come from.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/metering/rate_card.h"
#include "common/metering/rating.h"
#include "common/metering/report.h"

namespace turnpike {

// LineOwner is what the id of a line begins with.
struct LineOwner {
  BillingPeriod period;
  std::string account;
};

// ParseLineId reads period and account of `2026-11/acme/…`. It fails with a sentence.
std::expected<LineOwner, std::string> ParseLineId(std::string_view id);

// Slice is the usage that a line is a part of: all that its account relayed in the line's region,
// transport and share of the period. Tiers and the allowance divide it into lines.
struct Slice {
  std::vector<const InvoiceLine*> lines;  // of the invoice, in its order; the line itself too
  uint64_t bytes = 0;                     // of those lines
};

// SliceOf returns the slice of `line`, which is one of `invoice`.
Slice SliceOf(const Invoice& invoice, const InvoiceLine& line);

// VisitSlice calls `visit` with every session that has priced bytes in the slice of `line`, by
// start, and those bytes; false ends the reading. It fails with a sentence that names the file.
std::expected<void, std::string> VisitSlice(
    const std::string& ledger, const RateTable& table, const Invoice& invoice,
    const InvoiceLine& line, const std::function<bool(const SessionRow&, uint64_t bytes)>& visit);

}  // namespace turnpike
