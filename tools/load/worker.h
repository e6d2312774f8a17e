// One thread of the generator: its share of the sessions, and the loop that drives them.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <queue>
#include <vector>

#include "tools/load/plan.h"
#include "tools/load/result.h"
#include "tools/load/schedule.h"
#include "tools/load/session.h"

namespace turnpike::load {

// RunControl is how the main thread steers the workers. Times are of the monotonic clock, in
// nanoseconds.
struct RunControl {
  static constexpr int64_t kNever = INT64_MAX;

  std::atomic<int64_t> start_ns{kNever};    // when traffic begins
  std::atomic<int64_t> end_ns{kNever};      // when the last packet leaves
  std::atomic<int64_t> release_ns{kNever};  // when the allocations are given back
};

// WorkerProgress is what the main thread can see of a running worker.
struct WorkerProgress {
  std::atomic<uint32_t> opened{0};   // sessions that were begun
  std::atomic<uint32_t> pending{0};  // sessions that are neither ready nor done
  std::atomic<uint32_t> live{0};     // sessions that are ready or send
  std::atomic<uint64_t> sent{0};     // packets
  std::atomic<uint64_t> received{0};
  std::atomic<bool> published{false};  // the figures above are there
  std::atomic<bool> done{false};
};

// Worker drives the sessions `index`, `index + threads`, ... of the plan.
class Worker {
 public:
  // `plan` and `control` outlive the worker.
  Worker(const Plan& plan, const RunControl& control, uint32_t index);
  ~Worker();

  // Run does everything and returns when all sessions are closed.
  void Run();

  const WorkerProgress& progress() const { return progress_; }

  // results and measurements are complete when Run has returned.
  std::vector<SessionResult>& results() { return results_; }
  const Measurements& measurements() const { return context_.measurements; }

 private:
  // Watch is a socket that is looked at when its time has come, rather than when epoll says so:
  // packets of a steady flow are fetched several at a time. Their time of arrival is the kernel's.
  struct Watch {
    MonoTime time;
    uint32_t slot = 0;
    uint32_t session = 0;  // its number, which tells it from one that had the slot before
    bool is_peer = false;

    friend bool operator<(const Watch& a, const Watch& b) { return a.time > b.time; }
  };

  static constexpr Duration kTimerPeriod = std::chrono::milliseconds(20);
  static constexpr Duration kSteadyTimerPeriod = std::chrono::milliseconds(200);

  void ReadClocks();
  MonoTime NextWake();
  void Wait(MonoTime until);
  void OpenDue();
  void OpenSession(uint32_t slot, uint32_t number);
  void StartReady();
  void StartTraffic(uint32_t slot);
  void WatchByTime(uint32_t slot, bool is_peer, const Pattern& pattern);
  void SendDue();
  void LookDue();
  void OnTimers();
  void Churn();
  void CollectDone();
  void ReleaseAll();
  void PublishProgress();
  bool finished() const;

  const Plan& plan_;
  const RunControl& control_;
  uint32_t index_;
  ThreadContext context_;
  UniqueFd epoll_;
  Schedule schedule_;
  std::vector<std::unique_ptr<Session>> sessions_;  // by slot; null: collected
  std::priority_queue<Watch> watches_;
  std::vector<SessionResult> results_;
  WorkerProgress progress_;

  MonoTime begun_;
  uint32_t share_ = 0;    // how many sessions are its own at a time
  uint32_t opened_ = 0;   // of them, begun for the first time
  uint32_t next_number_;  // of the next replacement
  uint32_t churned_ = 0;  // replacements so far
  uint64_t churn_ticks_ = 0;
  uint32_t next_churn_slot_ = 0;
  bool started_ = false;
  bool releasing_ = false;
  MonoTime next_timers_;
};

}  // namespace turnpike::load
