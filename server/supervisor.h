// What the main thread does while the server runs: signals, the service manager, the end.
#pragma once

#include <optional>

#include "common/base/time.h"
#include "server/app.h"
#include "server/heap.h"
#include "server/io/service_manager.h"

namespace turnpike {

// Supervisor serves one App until it shall stop. SIGHUP reloads. SIGTERM drains: the server refuses
// new allocations and runs on until the last one has ended, or for `drain_deadline`. A second
// SIGTERM, or SIGINT at any time (^C on a terminal: whoever types it wants the prompt back), ends
// at once.
class Supervisor {
 public:
  // Neither is owned.
  Supervisor(App& app, const ServiceManager& manager) : app_(app), manager_(manager) {}

  // Run tells the service manager that the server is ready, and returns when App::Stop is due.
  // The signals must be blocked (BlockSignals).
  void Run();

 private:
  // OnSignal returns true when the server shall end now.
  bool OnSignal(int signal);
  void KeepWatchdogQuiet(MonoTime now);
  // FollowDrain reports progress and returns true when the drain is over.
  bool FollowDrain(MonoTime now);

  App& app_;
  const ServiceManager& manager_;
  MonoTime next_look_ = MonoTime::min();  // at the certificate's files, and at memory
  Heap heap_;
  std::optional<MonoTime> last_sign_of_life_;
  std::optional<MonoTime> last_report_;
  uint64_t reported_sessions_ = 0;
};

}  // namespace turnpike
