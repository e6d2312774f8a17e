#include "server/supervisor.h"

#include <signal.h>

#include <string>

#include "common/base/log.h"
#include "server/io/clock.h"
#include "server/process.h"

namespace turnpike {
namespace {

constexpr std::chrono::milliseconds kTick{250};
constexpr std::chrono::seconds kReportInterval{10};
constexpr std::chrono::seconds kLookInterval{2};

}  // namespace

void Supervisor::Run() {
  manager_.Notify("READY=1\nSTATUS=serves");
  while (true) {
    const auto signal = NextSignal(kTick);
    if (signal && OnSignal(*signal)) break;
    const MonoTime now = ReadClocks().mono;
    KeepWatchdogQuiet(now);
    if (now >= next_look_) {
      app_.ReloadChangedCertificate();
      heap_.GiveBack();
      next_look_ = now + kLookInterval;
    }
    if (app_.draining() && FollowDrain(now)) break;
  }
  manager_.Notify("STOPPING=1\nSTATUS=writes the last checkpoint");
}

bool Supervisor::OnSignal(int signal) {
  if (signal == SIGHUP) {
    app_.Reload();
    return false;
  }
  if (signal == SIGTERM && !app_.draining()) {
    app_.Drain();
    return false;
  }
  if (app_.draining()) {
    Log(LogLevel::kWarning, "drain_cut_short",
        {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}, {"sessions", app_.LiveSessions()}});
  }
  return true;
}

void Supervisor::KeepWatchdogQuiet(MonoTime now) {
  // A worker that hangs must look dead to the manager, so the sign of life is theirs, not ours.
  if (!manager_.watchdog()) return;
  if (last_sign_of_life_ && now - *last_sign_of_life_ < *manager_.watchdog() / 3) return;
  if (!app_.EveryWorkerTurned()) return;
  last_sign_of_life_ = now;
  manager_.Notify("WATCHDOG=1");
}

bool Supervisor::FollowDrain(MonoTime now) {
  const bool only_fewer = app_.AllWorkersDrain();  // asked before they are counted
  const uint64_t left = app_.LiveSessions();
  const auto deadline = app_.drain_ends_at();
  if (left == 0 && only_fewer) {
    Log(LogLevel::kInfo, "drained");
    return true;
  }
  if (now >= deadline) {
    Log(LogLevel::kWarning, "drain_deadline_passed", {{"sessions", left}});
    return true;
  }
  const bool due = !last_report_ || now - *last_report_ >= kReportInterval;
  if (!due) return false;
  const std::string seconds =
      std::to_string(std::chrono::ceil<std::chrono::seconds>(deadline - now).count());
  // The manager would otherwise kill the server when its own patience, TimeoutStopSec, is shorter
  // than the drain.
  manager_.Notify("STOPPING=1\nEXTEND_TIMEOUT_USEC=60000000\nSTATUS=drains: " +
                  std::to_string(left) + " sessions left, " + seconds + " s at most");
  if (last_report_ && left != reported_sessions_) {
    Log(LogLevel::kInfo, "draining", {{"sessions", left}, {"deadline_in_s", seconds}});
  }
  last_report_ = now;
  reported_sessions_ = left;
  return false;
}

}  // namespace turnpike
