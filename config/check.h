// What only shows when a configuration is looked at as a whole.
#pragma once

#include <string>

#include "config/config.h"
#include "config/findings.h"

namespace turnpike::config {

// FillIn replaces what was left out by what it means: the port of a listener by that of its
// transport, the account of a user by the username, relative paths by those from `directory`.
void FillIn(Config& config, const std::string& directory);

// CheckWhole reports values that are fine alone but not together. Where a value was reported
// already, nothing that follows from it is.
void CheckWhole(const Config& config, Findings& findings);

}  // namespace turnpike::config
