// What a process has used so far, from /proc.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "tools/load/result.h"

namespace turnpike::load {

// ParseProcessStat reads user and system time, of all threads, and the resident set out of
// /proc/PID/stat. `ticks_per_second` and `page_size` are the system's. It fails with a sentence.
std::expected<ProcessCost, std::string> ParseProcessStat(std::string_view stat,
                                                         long ticks_per_second, long page_size);

// ReadProcessCost reads what the process has used since it began. It fails with a sentence.
std::expected<ProcessCost, std::string> ReadProcessCost(int pid);

// OwnCpuSeconds is what this process has used.
double OwnCpuSeconds();

}  // namespace turnpike::load
