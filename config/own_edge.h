// This node as an edge: what clients are told where the configuration lists no fleet.
#pragma once

#include <string>
#include <string_view>

#include "common/net/edge.h"
#include "config/config.h"

namespace turnpike::config {

// OwnEdge returns the edge of the node of `config`. Its host is the first address that a listener
// or a relay address names; without one it is `host_name`.
Edge OwnEdge(const Config& config, const std::string& host_name);

}  // namespace turnpike::config
