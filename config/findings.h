// What a pass over a configuration file finds: problems, and where keys stand.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace turnpike::config {

// Findings collects the problems of one file and remembers the line of every key that it saw.
class Findings {
 public:
  explicit Findings(std::string file) : file_(std::move(file)) {}

  // Saw notes that `key` (dotted, with indexes) stands on `line`.
  void Saw(const std::string& key, int line) { lines_.emplace(key, line); }
  bool HasSeen(const std::string& key) const { return lines_.contains(key); }

  // Add reports a problem. The overload without a line takes that of `key`, or else of what `key`
  // is part of.
  void Add(int line, std::string key, std::string what);
  void Add(std::string key, std::string what);

  // IsBad says whether a problem was reported for `key` or for something inside it: then a check of
  // the whole would only report it again.
  bool IsBad(std::string_view key) const;
  // HasUnknownKey says whether `section` (empty: the top level) held a key that nobody knows: what
  // seems to be missing there may be just misspelt.
  bool HasUnknownKey(std::string_view section) const;

  // Take returns all problems in the order of lines.
  std::vector<Problem> Take();

 private:
  std::string file_;
  std::map<std::string, int> lines_;
  std::vector<Problem> problems_;  // in the order of lines
};

}  // namespace turnpike::config
