// Checking a server on all of its paths at once.
#pragma once

#include <functional>
#include <string>

#include "tools/check/probe.h"
#include "tools/check/result.h"

namespace turnpike::check {

// CheckHooks are called from other threads than the caller's, one call at a time.
struct CheckHooks {
  std::function<void(const PathResult&)> on_path;  // a path has come to its end; may be empty
};

// CheckEdge resolves the host and tries every path that the edge offers, each in a thread of its
// own; their streams flow one after the other.
EdgeResult CheckEdge(const Edge& edge, const ProbeOptions& options, const CheckHooks& hooks);

}  // namespace turnpike::check
