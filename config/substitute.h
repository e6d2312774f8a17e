// `${...}` inside configuration values.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace turnpike::config {

// Substitute replaces, in one pass, `${VAR}` and `${VAR:-default}` by environment variables (as in
// a shell, the default also stands for an empty variable) and `${file:PATH}` by a file's content
// less trailing newlines; `$${` stands for `${`. A relative PATH starts at `directory`. What is put
// in is not looked at again. It fails with a sentence that names variable or file but never a
// value. The files' paths are added to `files`, unless that is null.
std::expected<std::string, std::string> Substitute(std::string_view text,
                                                   const std::string& directory,
                                                   Environment environment,
                                                   std::vector<std::string>* files = nullptr);

// ResolvePath returns `path`, a relative one seen from `directory` (empty: the working directory).
std::string ResolvePath(const std::string& path, const std::string& directory);

}  // namespace turnpike::config
