// What the usage of a report costs.
#pragma once

#include <expected>
#include <string>

#include "common/metering/report.h"
#include "common/metering/report_groups.h"
#include "common/metering/sqlite.h"

namespace turnpike {

// AddCosts prices the usage of `query` with its rates and adds what it costs to the rows of
// `groups`. Whole months of UTC are priced, so that tiers and the allowance stand where they do on
// the invoice, and the period's share of them is taken; minimums and rounding belong to no usage
// and are left out. It fails with a sentence.
std::expected<void, std::string> AddCosts(Database& database, const ReportQuery& query,
                                          ReportGroups& groups);

}  // namespace turnpike
