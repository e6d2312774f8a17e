#include "config/findings.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"

namespace turnpike::config {

std::string Problem::ToString() const {
  std::string text = EscapeText(file);
  if (line > 0) text += ":" + std::to_string(line);
  text += ": ";
  if (!key.empty()) text += key + ": ";
  return text + what;
}

void Findings::Add(int line, std::string key, std::string what) {
  const auto place = std::ranges::upper_bound(problems_, line, {}, &Problem::line);
  problems_.insert(place, {file_, line, std::move(key), std::move(what)});
}

void Findings::Add(std::string key, std::string what) {
  std::string place = key;
  while (!place.empty() && !lines_.contains(place)) {
    const size_t end = place.find_last_of(".[");
    place.resize(end == std::string::npos ? 0 : end);
  }
  const int line = place.empty() ? 0 : lines_.at(place);
  Add(line, std::move(key), std::move(what));
}

bool Findings::IsBad(std::string_view key) const {
  return std::ranges::any_of(problems_, [&](const Problem& problem) {
    if (!problem.key.starts_with(key)) return false;
    const std::string_view rest = std::string_view(problem.key).substr(key.size());
    return rest.empty() || rest.front() == '.' || rest.front() == '[';
  });
}

bool Findings::HasUnknownKey(std::string_view section) const {
  return std::ranges::any_of(problems_, [&](const Problem& problem) {
    return problem.key == section && problem.line > 0;
  });
}

std::vector<Problem> Findings::Take() { return std::exchange(problems_, {}); }

}  // namespace turnpike::config
