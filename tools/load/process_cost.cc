#include "tools/load/process_cost.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

namespace turnpike::load {

std::expected<ProcessCost, std::string> ParseProcessStat(std::string_view stat,
                                                         long ticks_per_second, long page_size) {
  // The name, in parentheses, may hold spaces and parentheses.
  const size_t close = stat.rfind(')');
  if (close == std::string_view::npos) return std::unexpected("/proc/PID/stat has no name");
  std::istringstream rest{std::string(stat.substr(close + 1))};
  const std::vector<std::string> fields(std::istream_iterator<std::string>(rest), {});
  // proc(5) numbers the fields from 1 and the name is the 2nd: the first one here is the 3rd.
  constexpr size_t kUserTime = 14 - 3;
  constexpr size_t kSystemTime = 15 - 3;
  constexpr size_t kResidentPages = 24 - 3;
  if (fields.size() <= kResidentPages) return std::unexpected("/proc/PID/stat is too short");
  ProcessCost cost;
  const auto ticks = std::strtoull(fields[kUserTime].c_str(), nullptr, 10) +
                     std::strtoull(fields[kSystemTime].c_str(), nullptr, 10);
  cost.cpu_seconds = static_cast<double>(ticks) / static_cast<double>(ticks_per_second);
  cost.resident_bytes =
      std::strtoull(fields[kResidentPages].c_str(), nullptr, 10) * static_cast<uint64_t>(page_size);
  return cost;
}

std::expected<ProcessCost, std::string> ReadProcessCost(int pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  if (text.empty()) return std::unexpected("no process has the number " + std::to_string(pid));
  return ParseProcessStat(text, sysconf(_SC_CLK_TCK), sysconf(_SC_PAGESIZE));
}

double OwnCpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace turnpike::load
