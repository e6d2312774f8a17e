// The phases of a worker: what does not happen packet by packet.
#include <algorithm>

#include "tools/load/worker.h"

namespace turnpike::load {
namespace {

using std::chrono::seconds;

// Releases a second, over all threads: see kOpenRate of worker.cc.
constexpr int kReleaseRate = 4000;

bool HasCome(const std::atomic<int64_t>& ns, MonoTime now) {
  return now.time_since_epoch().count() >= ns.load(std::memory_order_relaxed);
}

}  // namespace

void Worker::OnTimers() {
  if (releasing_) ReleaseAll();
  for (uint32_t slot = 0; slot < sessions_.size(); ++slot) {
    Session* const session = sessions_[slot].get();
    if (session == nullptr) continue;
    session->OnTimer();
    if (started_ && !releasing_) StartTraffic(slot);  // does nothing unless it is ready just now
  }
  Churn();
  CollectDone();
  PublishProgress();
  // In the steady state only refreshes wait, and a look at thousands of sessions costs as much as
  // hundreds of packets.
  const bool is_steady =
      started_ && !releasing_ && plan_.churn <= 0 && progress_.pending.load() == 0;
  next_timers_ = context_.now + (is_steady ? kSteadyTimerPeriod : kTimerPeriod);
}

void Worker::Churn() {
  if (plan_.churn <= 0 || !started_ || releasing_ || HasCome(control_.end_ns, context_.now)) return;
  const double since = std::chrono::duration<double>(context_.now.time_since_epoch()).count() -
                       1e-9 * static_cast<double>(control_.start_ns.load());
  const auto wanted = static_cast<uint64_t>(
      std::max(0.0, since * plan_.churn / static_cast<double>(plan_.threads)));
  // At most a round each time: a worker that has all sessions on the way out cannot do more.
  for (size_t looked = 0; churn_ticks_ < wanted && looked < sessions_.size(); ++looked) {
    const uint32_t slot = next_churn_slot_;
    next_churn_slot_ = (next_churn_slot_ + 1) % static_cast<uint32_t>(sessions_.size());
    Session* const session = sessions_[slot].get();
    if (session == nullptr || session->state() != Session::State::kSending) continue;
    schedule_.Stop(2 * slot);
    schedule_.Stop(2 * slot + 1);
    session->Settle();
    ++churn_ticks_;
  }
}

void Worker::CollectDone() {
  for (uint32_t slot = 0; slot < sessions_.size(); ++slot) {
    Session* const session = sessions_[slot].get();
    if (session == nullptr) continue;
    if (session->state() == Session::State::kSettling && context_.now >= session->settled_at()) {
      session->Release(context_.now + kReleasePatience);
    }
    if (session->state() != Session::State::kDone) continue;
    schedule_.Stop(2 * slot);
    schedule_.Stop(2 * slot + 1);
    const bool replace =
        session->failure().empty() && !releasing_ && !HasCome(control_.end_ns, context_.now);
    results_.push_back(session->TakeResult());
    sessions_[slot].reset();
    if (!replace) continue;
    OpenSession(slot, next_number_);
    next_number_ += plan_.threads;
    ++churned_;
  }
}

void Worker::ReleaseAll() {
  const int periods = static_cast<int>(Duration(seconds(1)) / kTimerPeriod);
  int budget = std::max(1, kReleaseRate / periods / static_cast<int>(plan_.threads));
  for (const auto& session : sessions_) {
    if (session == nullptr || session->state() >= Session::State::kReleasing) continue;
    if (budget-- == 0) return;
    session->Release(context_.now + kReleasePatience);
  }
}

void Worker::PublishProgress() {
  uint32_t pending = share_ - opened_;
  uint32_t live = 0;
  for (const auto& session : sessions_) {
    if (session == nullptr) continue;
    if (session->state() < Session::State::kReady) {
      ++pending;
    } else if (session->state() < Session::State::kReleasing) {
      ++live;
    }
  }
  const Measurements& measured = context_.measurements;
  progress_.opened.store(opened_, std::memory_order_relaxed);
  progress_.live.store(live, std::memory_order_relaxed);
  progress_.sent.store(measured.lateness.count(), std::memory_order_relaxed);
  progress_.received.store(
      measured.latency[0].count() + measured.latency[1].count() + measured.small_packets,
      std::memory_order_relaxed);
  // Last, and released: who sees nothing pending sees who is live.
  progress_.pending.store(pending, std::memory_order_release);
  progress_.published.store(true, std::memory_order_release);
}

}  // namespace turnpike::load
