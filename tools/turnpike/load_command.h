// `turnpike load`: synthetic calls through a TURN server, measured at both ends.
#pragma once

namespace CLI {
class App;
}

namespace turnpike {

// AddLoadCommand adds `load` to `app`. When it ran, `*exit_status` is set and the output written.
void AddLoadCommand(CLI::App& app, int* exit_status);

}  // namespace turnpike
