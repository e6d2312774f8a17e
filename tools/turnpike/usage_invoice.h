// `turnpike usage invoice` and `turnpike usage explain`: what an account pays, and for what.
#pragma once

namespace CLI {
class App;
}

namespace turnpike {

// AddInvoiceCommands adds `invoice` and `explain` to `usage`. When one ran, `*exit_status` is set.
void AddInvoiceCommands(CLI::App& usage, int* exit_status);

}  // namespace turnpike
