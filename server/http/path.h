// Patterns of paths, for tables of routes.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace turnpike {

// MatchPath returns what stands in `path` for each `{name}` of `pattern`, in order, or nullopt
// where the path is another. What stands there is not empty, has no `/`, and is still encoded.
// Behind a `{name}` the pattern ends, goes on with `/`, or ends with a text such as `.json`.
std::optional<std::vector<std::string_view>> MatchPath(std::string_view pattern,
                                                       std::string_view path);

}  // namespace turnpike
