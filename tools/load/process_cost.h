// What a process has used so far.
#pragma once

#include <expected>
#include <string>

#include "tools/load/result.h"

namespace turnpike::load {

// ReadProcessCost reads the CPU time that all threads of the process have used since it began, user
// and system, and its resident memory. It fails with a sentence.
std::expected<ProcessCost, std::string> ReadProcessCost(int pid);

// OwnCpuSeconds is what this process has used.
double OwnCpuSeconds();

}  // namespace turnpike::load
