// `turnpike sessions`, `credentials`, `drain` and `reload`: a running server, over its JSON API.
#pragma once

namespace CLI {
class App;
}

namespace turnpike {

// AddAdminCommands adds them to `app`. When one ran, `*exit_status` is set: 1 if the server could
// not be reached or refused; what it said is then on standard error.
void AddAdminCommands(CLI::App& app, int* exit_status);

}  // namespace turnpike
