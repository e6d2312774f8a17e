// What the kernel says about this process: the usual `process_*` metrics.
#pragma once

#include <cstdint>

namespace turnpike {

// ProcessUsage is one reading. What the kernel does not tell (no /proc) stays 0.
struct ProcessUsage {
  uint64_t cpu_us = 0;  // user and system time
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_fds = 0;
  uint64_t max_fds = 0;
  uint64_t start_time_ms = 0;  // Unix time
};

// ReadProcessUsage reads getrusage, getrlimit and /proc/self.
ProcessUsage ReadProcessUsage();

}  // namespace turnpike
