// The edges of a fleet, as its API lists them.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "tools/check/result.h"

namespace turnpike::check {

// ParseEdges reads what `GET /v1/edges` answers: an edge for each host of each, with the first port
// of each transport in its URIs (RFC 7064, RFC 7065); a transport without a URI is not tried. It
// fails with a sentence.
std::expected<std::vector<Edge>, std::string> ParseEdges(std::string_view body);

}  // namespace turnpike::check
