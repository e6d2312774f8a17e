// What the tests of the configuration share.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"

namespace turnpike::config {

// TestEnvironment knows three variables.
inline std::optional<std::string> TestEnvironment(std::string_view name) {
  if (name == "PORT") return "7000";
  if (name == "EMPTY") return "";
  if (name == "PASSWORD") return "hunter2";
  return std::nullopt;
}

// kUser makes any text that has no `auth` a configuration that somebody can use.
inline constexpr std::string_view kUser = "auth: {users: [{username: alice, password: s3cret}]}\n";

// Problems returns what is wrong with `text`, one problem a line; empty when nothing is.
inline std::string Problems(std::string_view text) {
  const auto config = Parse(text, "turnpike.yaml", TestEnvironment);
  std::string lines;
  if (config) return lines;
  for (const Problem& problem : config.error()) lines += problem.ToString() + "\n";
  return lines;
}

// ProblemsBeside is Problems for a text that leaves the users to kUser, which stands after it.
inline std::string ProblemsBeside(std::string_view text) {
  return Problems(std::string(text) + "\n" + std::string(kUser));
}

}  // namespace turnpike::config
