#include "config/diff.h"

#include "config/keys.h"

namespace turnpike::config {
namespace {

// StandsAlone says whether `key` is compared by itself: sections hold nothing, and what stands in
// an entry of a list belongs to the list.
bool StandsAlone(const Key& key) {
  return key.change != nullptr && !KeyParent(key.name).ends_with("[]");
}

}  // namespace

std::vector<Change> Diff(const Config& before, const Config& after) {
  std::vector<Change> changes;
  for (const Key& key : Keys()) {
    if (!StandsAlone(key)) continue;
    std::string what = key.change(before, after);
    if (!what.empty()) changes.push_back({key.name, key.needs_restart, std::move(what)});
  }
  return changes;
}

Config TakeReloadable(Config before, const Config& after) {
  for (const Key& key : Keys()) {
    if (StandsAlone(key) && !key.needs_restart) key.copy(before, after);
  }
  return before;
}

}  // namespace turnpike::config
