// The sums of a ledger: sessions = parts, parts = buckets, buckets = totals, row by row.
#pragma once

#include <vector>

#include "common/metering/sqlite.h"
#include "common/metering/verify.h"

namespace turnpike {

// VerifySums appends the checks `sessions`, `buckets` and `totals`. Parts are read once, in the
// order of the file; memory grows with the number of sessions, not of parts.
void VerifySums(Database& database, const VerifyOptions& options, VerifyReport& report);

}  // namespace turnpike
