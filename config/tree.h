// A YAML document as plain values, so that yaml-cpp stays inside `load.cc`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/findings.h"

namespace turnpike::config {

enum class NodeKind : uint8_t { kNull, kScalar, kList, kMap };

// Node is one value of the document with the line it begins on. Maps keep every pair in the order
// of the file, duplicates too: item `i` stands behind key `i`.
struct Node {
  NodeKind kind = NodeKind::kNull;
  int line = 0;                  // 1-based
  std::string text = {};         // of a scalar, quotes and escapes taken off
  std::vector<Node> keys = {};   // of a map
  std::vector<Node> items = {};  // of a list or map
};

// ReadYaml reads the one document of `text`, which must be a map; nullopt after a syntax error or
// for an empty file, which it reports; `start` says then what to start from. `load.cc` has it.
std::optional<Node> ReadYaml(std::string_view text, std::string_view start, Findings& findings);

}  // namespace turnpike::config
