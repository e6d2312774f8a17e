// Runs a plan under the eyes of a person: progress, ^C, the comparison of bills, and reports.
#pragma once

#include <string_view>

#include "tools/load/plan.h"
#include "tools/turnpike/load_options.h"

namespace turnpike {

// RunAndReport runs `plan`, writes what `options` ask for, and returns the exit status. `command`
// is how errors name the command.
int RunAndReport(std::string_view command, const load::Plan& plan, const RunOptions& options);

}  // namespace turnpike
