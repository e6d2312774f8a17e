// The subcommands of `turnpike usage`, each in a file of its own.
#pragma once

namespace CLI {
class App;
}

namespace turnpike {

// AddPeriodCommands adds `periods`, `close`, `correct` and `corrections` to `usage`;
// AddVerifyCommand adds `verify`, AddMergeCommand `merge`, AddReconcileCommand `reconcile`,
// AddBackupCommand `backup`. When one ran, `*exit_status` is set: 1 if it failed, or found a
// difference.
void AddPeriodCommands(CLI::App& usage, int* exit_status);
void AddBackupCommand(CLI::App& usage, int* exit_status);
void AddMergeCommand(CLI::App& usage, int* exit_status);
void AddReconcileCommand(CLI::App& usage, int* exit_status);
void AddVerifyCommand(CLI::App& usage, int* exit_status);

// AddInvoiceCommands adds `invoice` and `explain`: what an account pays, and for what.
void AddInvoiceCommands(CLI::App& usage, int* exit_status);

// AddFocusCommand adds `focus`: the same for FinOps tools.
void AddFocusCommand(CLI::App& usage, int* exit_status);

}  // namespace turnpike
