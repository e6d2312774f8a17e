// `turnpiked --healthcheck`: asks a running server for a Binding, as a client would.
#pragma once

#include <expected>
#include <string>

#include "config/config.h"

namespace turnpike {

// CheckHealth sends a STUN Binding request to the first udp listener of `config`, else to the first
// tcp one, and returns a line that says who answered. To a server that has tls alone it only
// connects. A listener on all addresses is asked on loopback. It fails with a sentence after a few
// seconds; a server that drains is healthy.
std::expected<std::string, std::string> CheckHealth(const config::Config& config);

}  // namespace turnpike
