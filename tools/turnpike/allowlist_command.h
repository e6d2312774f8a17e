// `turnpike config allowlist`: what firewalls must let through.
#pragma once

namespace CLI {
class App;
}

namespace turnpike {

// AddAllowlistCommand adds `allowlist FILE` to the command `config`. When it ran, `*exit_status` is
// set: 1 if the file has problems, or names no address.
void AddAllowlistCommand(CLI::App& config, int* exit_status);

}  // namespace turnpike
