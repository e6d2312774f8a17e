// `turnpike token`: mints time-limited credentials.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/stun/time_limited.h"
#include "config/config.h"

namespace CLI {
class App;
}

namespace turnpike {

// Uris lists, in the order of `listeners` and each once, the URIs (RFC 7065) that reach them at
// `host`: a name or an address.
std::vector<std::string> Uris(std::string_view host,
                              const std::vector<config::Listener>& listeners);

// AddTokenCommand adds `token` to `app`. When it ran, `*exit_status` is set and the output written.
void AddTokenCommand(CLI::App& app, int* exit_status);

}  // namespace turnpike
