// `turnpike replay`: the UDP flows of a capture through a TURN server, and what they will cost.
#pragma once

namespace CLI {
class App;
}

namespace turnpike {

// AddReplayCommand adds `replay` to `app`. When it ran, `*exit_status` is set and the output
// written.
void AddReplayCommand(CLI::App& app, int* exit_status);

}  // namespace turnpike
