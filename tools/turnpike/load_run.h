// Runs a plan under the eyes of a person: progress, ^C, the comparison of bills, and reports.
#pragma once

#include <functional>
#include <string_view>

#include "tools/load/hostile.h"
#include "tools/load/plan.h"
#include "tools/load/result.h"
#include "tools/turnpike/load_options.h"

namespace turnpike {

// RunAndReport runs `plan`, writes what `options` ask for, and returns the exit status. `command`
// is how errors name the command. `judge`, if there is one, sets the result's forecast after the
// bills were compared.
int RunAndReport(std::string_view command, const load::Plan& plan, const RunOptions& options,
                 const std::function<void(load::RunResult&)>& judge = {});

// RunHostileAndReport does the same for hostile clients, whose results are a table or JSON alone.
int RunHostileAndReport(const load::HostilePlan& hostile, const RunOptions& options);

}  // namespace turnpike
