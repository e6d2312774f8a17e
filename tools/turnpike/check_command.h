// `turnpike check`: tests the network between this host and a relay.
#pragma once

namespace CLI {
class App;
}

namespace turnpike {

// AddCheckCommand adds `check` to `app`. When it ran, `*exit_status` is set and the output written.
void AddCheckCommand(CLI::App& app, int* exit_status);

}  // namespace turnpike
