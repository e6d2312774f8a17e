#include "server/http/path.h"

namespace turnpike {

std::optional<std::vector<std::string_view>> MatchPath(std::string_view pattern,
                                                       std::string_view path) {
  std::vector<std::string_view> found;
  while (true) {
    const size_t brace = pattern.find('{');
    if (brace == std::string_view::npos) {
      return pattern == path ? std::optional(found) : std::nullopt;
    }
    if (!path.starts_with(pattern.substr(0, brace))) return std::nullopt;
    path.remove_prefix(brace);
    pattern.remove_prefix(pattern.find('}', brace) + 1);
    std::string_view value = path.substr(0, path.find('/'));
    path.remove_prefix(value.size());
    if (const std::string_view ending = pattern.substr(0, pattern.find('/')); !ending.empty()) {
      if (!value.ends_with(ending)) return std::nullopt;
      value.remove_suffix(ending.size());
      pattern.remove_prefix(ending.size());
    }
    if (value.empty()) return std::nullopt;
    found.push_back(value);
  }
}

}  // namespace turnpike
