#include "tools/load/process_cost.h"

#include <unistd.h>

#include <ctime>
#include <fstream>

namespace turnpike::load {
namespace {

double Seconds(const timespec& time) {
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

std::expected<ProcessCost, std::string> ReadProcessCost(int pid) {
  // To the nanosecond, where /proc/PID/stat counts hundredths of a second: a short run uses few.
  clockid_t clock{};
  timespec used{};
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  uint64_t pages = 0;
  uint64_t resident_pages = 0;
  // Of process 0 the clock would be this process's own.
  if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0 ||
      !(statm >> pages >> resident_pages)) {
    return std::unexpected("no process has the number " + std::to_string(pid));
  }
  ProcessCost cost;
  cost.cpu_seconds = Seconds(used);
  cost.resident_bytes = resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return cost;
}

double OwnCpuSeconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return Seconds(used);
}

}  // namespace turnpike::load
