// What becomes of a file that is damaged when a server starts.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace turnpike {

// SetAside renames the file at `path` to `path`.damaged-N, N being the first free number, a
// ledger's WAL to the name that SQLite looks for beside that, and logs `event` with `why` and what
// is to be done. Nothing is deleted. It fails with a sentence when the file cannot be renamed.
std::expected<void, std::string> SetAside(const std::string& path, const std::string& why,
                                          std::string_view event, std::string_view remedy);

// FilesSetAside counts those that lie in `directory`: until somebody has seen to them and moved
// them away, what they hold is missing.
uint64_t FilesSetAside(const std::string& directory);

}  // namespace turnpike
