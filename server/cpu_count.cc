#include "server/cpu_count.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace turnpike {
namespace {

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

std::string ReadText(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// OwnCgroup returns the process's place in the unified hierarchy: the line "0::/path".
std::string OwnCgroup() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("0::")) return line.substr(3);
  }
  return "/";
}

}  // namespace

std::optional<uint32_t> ParseCpuMax(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto quota = ParseNumber(text.substr(0, space));
  const auto period = ParseNumber(text.substr(space + 1));
  if (!quota || !period || *quota == 0 || *period == 0) return std::nullopt;
  const uint64_t cpus = *quota / *period + (*quota % *period != 0 ? 1 : 0);
  return static_cast<uint32_t>(std::min<uint64_t>(cpus, UINT32_MAX));
}

std::optional<uint32_t> QuotaOf(const std::string& mount, const std::string& path) {
  std::optional<uint32_t> smallest;
  const std::filesystem::path root(mount);
  std::filesystem::path below = std::filesystem::path(path).relative_path();
  while (true) {
    const auto quota = ParseCpuMax(ReadText(root / below / "cpu.max"));
    if (quota) smallest = std::min(*quota, smallest.value_or(*quota));
    if (below.empty()) return smallest;
    below = below.parent_path();
  }
}

uint32_t UsableCpus() {
  const auto cpus = static_cast<uint32_t>(AllowedCpus().size());
  return std::min(cpus, QuotaOf("/sys/fs/cgroup", OwnCgroup()).value_or(cpus));
}

std::vector<int> AllowedCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(static_cast<size_t>(cpu), &set)) cpus.push_back(cpu);
    }
  }
  if (cpus.empty()) cpus.push_back(0);
  return cpus;
}

}  // namespace turnpike
