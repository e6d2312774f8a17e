// What becomes of a ledger that is damaged when a server starts.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

namespace turnpike {

// SetAside renames the ledger at `path` to `path`.damaged-N, N being the first free number, its WAL
// to the name that SQLite looks for beside that, and logs it with `why`. Nothing is deleted. It
// fails with a sentence when the file cannot be renamed.
std::expected<void, std::string> SetAside(const std::string& path, const std::string& why);

// LedgersSetAside counts those that lie beside the ledger at `path`: until somebody has salvaged
// and removed them, the books lack what they hold.
uint64_t LedgersSetAside(const std::string& path);

}  // namespace turnpike
