// Small files as strings: the configuration itself, and secrets that it names.
#pragma once

#include <cstddef>
#include <expected>
#include <string>

namespace turnpike::config {

// ReadSmallFile returns the content of the file (or pipe) at `path`. It fails with a predicate such
// as `is a directory`, `cannot be read: Permission denied` or `is larger than 1048576 bytes`.
std::expected<std::string, std::string> ReadSmallFile(const std::string& path, size_t max_bytes);

// ReadSecretFile is ReadSmallFile for one secret: at most 64 KiB, less trailing newlines. A file
// that holds nothing else fails with `is empty`.
std::expected<std::string, std::string> ReadSecretFile(const std::string& path);

}  // namespace turnpike::config
