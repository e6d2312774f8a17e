#include "tools/load/run.h"

#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "tools/load/clock.h"
#include "tools/load/process_cost.h"
#include "tools/load/worker.h"

namespace turnpike::load {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A server that answers nothing for so long, while packets leave, is dead.
constexpr Duration kSilence = seconds(3);
constexpr Duration kLook = milliseconds(50);

class RunLoop {
 public:
  RunLoop(const Plan& plan, const RunHooks& hooks) : plan_(plan), hooks_(hooks) {
    for (uint32_t i = 0; i < plan.threads; ++i) {
      workers_.push_back(std::make_unique<Worker>(plan, control_, i));
    }
  }

  RunResult Go() {
    result_.server = plan_.host;
    result_.started_at = ReadWall();
    result_.echo = plan_.echo;
    std::vector<std::jthread> threads;
    for (const auto& worker : workers_) threads.emplace_back([&worker] { worker->Run(); });
    if (plan_.ramp.count() > 0 || WaitForSessions()) Traffic();
    phase_ = LiveProgress::Phase::kReleasing;
    control_.end_ns = std::min(control_.end_ns.load(), NowNs());
    control_.release_ns = NowNs();
    while (!AllDone()) Look();
    threads.clear();  // joins
    Collect();
    return std::move(result_);
  }

 private:
  static int64_t NowNs() { return ReadMono().time_since_epoch().count(); }

  bool AllDone() const {
    return std::ranges::all_of(workers_, [](const auto& worker) {
      return worker->progress().done.load(std::memory_order_acquire);
    });
  }

  // Look waits a little and then reads what the workers say.
  void Look() {
    std::this_thread::sleep_for(kLook);
    seen_ = {};
    seen_.phase = phase_;
    pending_ = 0;
    for (const auto& worker : workers_) {
      const WorkerProgress& progress = worker->progress();
      if (!progress.published.load(std::memory_order_acquire)) ++pending_;
      pending_ += progress.pending.load(std::memory_order_acquire);
      seen_.live += progress.live.load(std::memory_order_relaxed);
      seen_.sent += progress.sent.load(std::memory_order_relaxed);
      seen_.received += progress.received.load(std::memory_order_relaxed);
    }
    if (phase_ != LiveProgress::Phase::kOpening && started_ns_ != 0) {
      seen_.seconds = std::max(0.0, 1e-9 * static_cast<double>(NowNs() - started_ns_));
    }
    if (hooks_.progress) hooks_.progress(seen_);
    if (hooks_.interrupted && hooks_.interrupted()) result_.interrupted = true;
  }

  // WaitForSessions waits until every session is ready or has failed; true when traffic makes
  // sense.
  bool WaitForSessions() {
    do {
      Look();
    } while (pending_ > 0 && !result_.interrupted);
    if (result_.interrupted) return false;
    if (seen_.live == 0) result_.error = "no session could be opened";
    return seen_.live > 0;
  }

  void Traffic() {
    phase_ = LiveProgress::Phase::kTraffic;
    // A moment later, so that no worker begins late.
    started_ns_ = NowNs() + Duration(milliseconds(30)).count();
    const double own_before = OwnCpuSeconds();
    const auto server_before = ServerCost();
    control_.end_ns = started_ns_ + (plan_.ramp + plan_.duration).count();
    control_.start_ns = started_ns_;
    while (NowNs() < control_.end_ns && !IsOver()) Look();
    const int64_t last_ns = std::min(control_.end_ns.load(), NowNs());
    control_.end_ns = last_ns;
    phase_ = LiveProgress::Phase::kSettling;
    while (NowNs() < last_ns + plan_.settle.count() && result_.error.empty()) Look();
    result_.seconds = std::max(0.0, 1e-9 * static_cast<double>(last_ns - started_ns_));
    result_.generator.cpu_seconds = OwnCpuSeconds() - own_before;
    if (const auto cost = ReadProcessCost(getpid())) {
      result_.generator.resident_bytes = cost->resident_bytes;
    }
    const auto server_after = ServerCost();
    if (server_before && server_after) {
      result_.server_cost = {server_after->cpu_seconds - server_before->cpu_seconds,
                             server_after->resident_bytes};
    }
  }

  // IsOver says whether traffic ends before its time, and notes why.
  bool IsOver() {
    if (result_.interrupted) return true;
    if (seen_.received != last_received_ || seen_.sent <= sent_at_last_received_ + 1) {
      last_received_ = seen_.received;
      sent_at_last_received_ = seen_.sent;
      silent_since_ns_ = NowNs();
    }
    if (NowNs() - silent_since_ns_ > kSilence.count()) {
      result_.error = "the server has gone silent: packets leave, and for " +
                      FormatDuration(kSilence) + " none has arrived";
      return true;
    }
    if (pending_ == 0 && seen_.live == 0 && seen_.phase == LiveProgress::Phase::kTraffic) {
      result_.error = "every session is gone before its time";
      return true;
    }
    return false;
  }

  std::optional<ProcessCost> ServerCost() {
    if (!hooks_.server_pid) return std::nullopt;
    const auto cost = ReadProcessCost(*hooks_.server_pid);
    return cost ? std::optional(*cost) : std::nullopt;
  }

  void Collect() {
    result_.measurements = workers_.front()->measurements();
    for (size_t i = 0; i < workers_.size(); ++i) {
      if (i > 0) result_.measurements.Merge(workers_[i]->measurements());
      for (SessionResult& session : workers_[i]->results()) {
        result_.sessions.push_back(std::move(session));
      }
    }
    std::ranges::sort(result_.sessions, {}, &SessionResult::number);
  }

  const Plan& plan_;
  const RunHooks& hooks_;
  RunControl control_;
  std::vector<std::unique_ptr<Worker>> workers_;
  RunResult result_;
  LiveProgress::Phase phase_ = LiveProgress::Phase::kOpening;
  LiveProgress seen_;
  uint64_t pending_ = 0;
  int64_t started_ns_ = 0;
  uint64_t last_received_ = 0;
  uint64_t sent_at_last_received_ = 0;
  int64_t silent_since_ns_ = NowNs();
};

}  // namespace

std::expected<void, std::string> RaiseDescriptorLimit(uint32_t sessions) {
  constexpr rlim_t kOthers = 64;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t wanted = 2 * rlim_t{sessions} + kOthers;
  if (limit.rlim_cur >= wanted) return {};
  const rlim_t allowed = limit.rlim_max;
  limit.rlim_cur = std::min(wanted, allowed);
  setrlimit(RLIMIT_NOFILE, &limit);
  if (wanted <= allowed) return {};
  return std::unexpected(std::to_string(sessions) + " sessions need " + std::to_string(wanted) +
                         " descriptors and this process may have " + std::to_string(allowed) +
                         ": raise `ulimit -n`, or use fewer sessions");
}

RunResult Run(const Plan& plan, const RunHooks& hooks) {
  RunResult result;
  if (const auto room = RaiseDescriptorLimit(plan.sessions); !room) {
    result.error = room.error();
    return result;
  }
  return RunLoop(plan, hooks).Go();
}

}  // namespace turnpike::load
