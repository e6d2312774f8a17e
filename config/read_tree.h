// From a YAML document to Config, by THE table.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"
#include "config/findings.h"
#include "config/tree.h"

namespace turnpike::config {

// ValueReader reads YAML that a variable put in the place of a list; all of the node is said to be
// on `line`. nullopt when the text is no YAML.
using ValueReader = std::function<std::optional<Node>(std::string_view text, int line)>;

// ReadTree stores what `root`, a map, says into `config`, and reports every key that is unknown,
// doubled or missing and every value that is wrong. `directory` is where relative `${file:…}`
// start. A list may be written as `${…}` whose text is YAML, read by `read_value` as if it stood
// in the file; when that text is empty, the list has its default.
void ReadTree(const Node& root, const std::string& directory, Environment environment,
              const ValueReader& read_value, Config& config, Findings& findings);

}  // namespace turnpike::config
