#include "server/ops/process_usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace turnpike {
namespace {

uint64_t Microseconds(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
}

// BootTime returns when the kernel started, in Unix seconds.
uint64_t BootTime() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    uint64_t seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return 0;
}

// ReadStat fills in what /proc/self/stat says (proc(5)): start time, virtual size, resident pages.
void ReadStat(ProcessUsage& usage) {
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return;
  // The second field is the program's name in parentheses and may hold anything, spaces too.
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  uint64_t start_ticks = 0;
  uint64_t resident_pages = 0;
  if (!(fields >> start_ticks >> usage.virtual_bytes >> resident_pages)) return;
  usage.resident_bytes = resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t boot = BootTime();
  const auto ticks_per_second = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  if (boot != 0) usage.start_time_ms = boot * 1000 + start_ticks * 1000 / ticks_per_second;
}

}  // namespace

ProcessUsage ReadProcessUsage() {
  ProcessUsage usage;
  rusage times{};
  if (getrusage(RUSAGE_SELF, &times) == 0) {
    usage.cpu_us = Microseconds(times.ru_utime) + Microseconds(times.ru_stime);
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.max_fds = limit.rlim_cur;
  ReadStat(usage);
  std::error_code error;
  std::filesystem::directory_iterator entry("/proc/self/fd", error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    ++usage.open_fds;
  }
  return usage;
}

}  // namespace turnpike
