// A whole run: starts the workers, says when what happens, and collects what they measured.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "tools/load/plan.h"
#include "tools/load/result.h"

namespace turnpike::load {

// LiveProgress is how far a run is.
struct LiveProgress {
  enum class Phase : uint8_t { kOpening, kTraffic, kSettling, kReleasing };
  Phase phase = Phase::kOpening;
  double seconds = 0;  // of traffic so far
  uint32_t live = 0;   // sessions that are ready or send
  uint64_t sent = 0;
  uint64_t received = 0;
};

// RunHooks is what a run asks of its surroundings.
struct RunHooks {
  std::function<void(const LiveProgress&)> progress;  // a few times a second
  std::function<bool()> interrupted;                  // true: end with what was measured so far
  std::optional<int> server_pid;
};

// RaiseDescriptorLimit makes room for the sockets of that many sessions, two each. It fails with a
// sentence when the process may not have as many.
std::expected<void, std::string> RaiseDescriptorLimit(uint32_t sessions);

// Run does what `plan` says and returns when every session is closed. What fails as a whole is in
// the result's `error`.
RunResult Run(const Plan& plan, const RunHooks& hooks);

}  // namespace turnpike::load
