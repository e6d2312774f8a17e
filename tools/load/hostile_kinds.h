// The kinds of hostile clients, one function and file each, and what they share.
#pragma once

#include <functional>
#include <string>

#include "tools/load/hostile.h"
#include "tools/load/thread_context.h"

namespace turnpike::load {

// kLooksAtOnce is how many sockets are looked at each millisecond: what waits in the others keeps.
inline constexpr size_t kLooksAtOnce = 64;

// HostileStage is a run in progress.
class HostileStage {
 public:
  HostileStage(const HostilePlan& hostile, const RunHooks& hooks, HostileResult& result);

  const Plan& plan() const { return context_.plan; }
  ThreadContext& context() { return context_; }
  HostileResult& result() { return result_; }

  // did and answered count under a name.
  void Did(const std::string& what, uint64_t times = 1) { result_.did[what] += times; }
  void Answered(const std::string& what, uint64_t times = 1) { result_.answered[what] += times; }

  // Flood calls `act` at the run's rate, and `look` about each millisecond, until the duration is
  // over or somebody interrupts. It fills in the times and the server's cost.
  void Flood(const std::function<void()>& act, const std::function<void()>& look);

  // Poll calls `look` each millisecond until `ready` says true or `patience` is over; false then.
  bool Poll(Duration patience, const std::function<bool()>& ready,
            const std::function<void()>& look);

 private:
  void ReadClocks();

  const HostilePlan& hostile_;
  const RunHooks& hooks_;
  HostileResult& result_;
  ThreadContext context_;
};

// Each does what hostile.h says of its kind.
void FloodBadAuth(HostileStage& stage);
void FloodNoPermission(HostileStage& stage);
void ReadSlowly(HostileStage& stage);
void StopHandshakes(HostileStage& stage);

}  // namespace turnpike::load
