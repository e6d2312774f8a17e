// Retention: what a ledger forgets, a little in each transaction, so that no checkpoint waits.
#pragma once

#include <cstdint>

#include "common/base/time.h"
#include "common/metering/sqlite.h"

namespace turnpike {

// EraseSessions takes who and where out of up to `limit` sessions that ended before `before`:
// username, addresses and drops. It is a transaction of its own; look at ok() of the database.
void EraseSessions(Database& database, WallTime before, int64_t limit);

// PruneSessions moves up to `limit` parts of sessions that ended before `before` into usage_pruned,
// or, when there is none left, removes up to `limit` such sessions. Buckets stay as they are, and
// so do reports by any of their keys, by node and by edge. While only some parts of a session are
// gone, its totals are those of the parts that are left. It is a transaction of its own; look at
// ok() of the database.
void PruneSessions(Database& database, WallTime before, int64_t limit);

}  // namespace turnpike
