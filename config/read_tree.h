// From a YAML document to Config, by THE table.
#pragma once

#include <string>

#include "config/config.h"
#include "config/findings.h"
#include "config/tree.h"

namespace turnpike::config {

// ReadTree stores what `root`, a map, says into `config`, and reports every key that is unknown,
// doubled or missing and every value that is wrong. `directory` is where relative `${file:…}`
// start.
void ReadTree(const Node& root, const std::string& directory, Environment environment,
              Config& config, Findings& findings);

}  // namespace turnpike::config
