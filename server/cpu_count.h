// Which CPUs this process may use, and how many: the number of relay workers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike {

// UsableCpus counts the CPUs of the affinity mask, capped by the cgroup's CPU quota: in a container
// with two of 64 cores, 64 workers would only be throttled together. At least 1.
uint32_t UsableCpus();

// AllowedCpus returns the CPUs of the affinity mask by number, at least one.
std::vector<int> AllowedCpus();

// ParseCpuMax reads the text of a cgroup's `cpu.max` ("150000 100000") and returns the CPUs that it
// allows, rounded up; nullopt for "max" and for what is not understood.
std::optional<uint32_t> ParseCpuMax(std::string_view text);

// QuotaOf returns the smallest quota on the way from the cgroup `path` up to the root of the
// hierarchy mounted at `mount`; a quota binds everything below it.
std::optional<uint32_t> QuotaOf(const std::string& mount, const std::string& path);

}  // namespace turnpike
