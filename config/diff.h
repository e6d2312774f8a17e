// What differs between two configurations, key by key: for the log of a reload.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace turnpike::config {

// Change is one key whose value differs.
struct Change {
  std::string_view key;
  bool needs_restart = false;
  std::string what;  // `10m -> 20m`, `+bob ~alice -carol`; never a secret

  // ToString renders `limits.max_lifetime: 1h -> 2h`.
  std::string ToString() const { return std::string(key) + ": " + what; }
};

// Diff lists what changes from `before` to `after`, in the order of the table.
std::vector<Change> Diff(const Config& before, const Config& after);

// TakeReloadable returns `before` with all that a reload may change taken from `after`.
Config TakeReloadable(Config before, const Config& after);

}  // namespace turnpike::config
