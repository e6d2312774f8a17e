// `turnpike usage`: what accounts used, from a server's ledger.
#pragma once

namespace CLI {
class App;
}

namespace turnpike {

// AddUsageCommand adds `usage report` and `usage sessions` to `app`. When one ran, `*exit_status`
// is set: 1 if the ledger could not be read or the output not be written.
void AddUsageCommand(CLI::App& app, int* exit_status);

}  // namespace turnpike
