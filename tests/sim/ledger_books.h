// Reads the ledger's tables, row by row as they are, into the shape that the auditor fills.
#pragma once

#include <expected>
#include <string>

#include "tests/sim/books.h"

namespace turnpike::sim {

// ReadLedgerBooks reads sessions, parts, buckets and totals of the ledger in `directory`. Drops by
// reasons that the core gives are left out: nobody outside of it can recount them.
std::expected<Books, std::string> ReadLedgerBooks(const std::string& directory);

}  // namespace turnpike::sim
