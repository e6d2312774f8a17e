// A YAML document as plain values, so that yaml-cpp stays inside `load.cc`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

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

}  // namespace turnpike::config
