#include "tools/load/worker.h"

#include <sys/epoll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>

#include "common/base/check.h"
#include "tools/load/clock.h"

namespace turnpike::load {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// New sessions a second, over all threads, where the plan has no ramp: allocations cost a server
// far more than packets, and a storm of them is what --churn is for.
constexpr int kOpenRate = 2000;

// How many packets leave before the sockets are looked at again.
constexpr int kMaxSends = 2048;

MonoTime AsTime(const std::atomic<int64_t>& ns) {
  return MonoTime(Duration(ns.load(std::memory_order_relaxed)));
}

uint64_t EventKey(uint32_t slot, bool is_peer) { return uint64_t{slot} << 1 | (is_peer ? 1 : 0); }

// LookPeriod returns how often a socket is looked at that receives `pattern`: so that a batch waits
// there, and long before its buffer is full. A client must see answers before it asks again.
Duration LookPeriod(const Pattern& pattern, bool is_peer) {
  constexpr double kPacketsAtOnce = 32;
  const std::chrono::duration<double> period(kPacketsAtOnce / pattern.packets_per_second());
  return std::clamp(std::chrono::duration_cast<Duration>(period), Duration(milliseconds(4)),
                    Duration(is_peer ? milliseconds(1000) : milliseconds(250)));
}

void Watched(int epoll, int operation, int fd, uint32_t events, uint64_t key) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  epoll_ctl(epoll, operation, fd, &event);
}

}  // namespace

Worker::Worker(const Plan& plan, const RunControl& control, uint32_t index)
    : plan_(plan),
      control_(control),
      index_(index),
      context_(plan),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      schedule_(plan.tick),
      next_number_(plan.sessions + index) {
  TP_CHECK(epoll_.valid());
  share_ = plan.sessions / plan.threads + (index < plan.sessions % plan.threads ? 1 : 0);
  sessions_.resize(share_);
}

Worker::~Worker() = default;

void Worker::ReadClocks() {
  context_.now = ReadMono();
  context_.wall_to_mono = WallMinusMono();
}

bool Worker::finished() const { return releasing_ && results_.size() == opened_ + churned_; }

void Worker::Run() {
  // The default of 50 us would make every packet late.
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  ReadClocks();
  begun_ = next_timers_ = context_.now;
  while (!finished()) {
    ReadClocks();
    OpenDue();
    StartReady();
    SendDue();
    LookDue();
    if (context_.now >= next_timers_) OnTimers();
    Wait(NextWake());
  }
  PublishProgress();
  progress_.done.store(true, std::memory_order_release);
}

MonoTime Worker::NextWake() {
  MonoTime wake = next_timers_;
  if (const auto next = schedule_.Next()) wake = std::min(wake, *next);
  if (!watches_.empty()) wake = std::min(wake, watches_.top().time);
  return wake;
}

void Worker::Wait(MonoTime until) {
  std::array<epoll_event, 256> events;
  const Duration left = std::max(Duration(0), until - ReadMono());
  const timespec timeout{left / seconds(1), (left % seconds(1)).count()};
  const int count =
      epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  if (count <= 0) return;
  ReadClocks();
  for (const epoll_event& event : std::span(events).first(static_cast<size_t>(count))) {
    Session* const session = sessions_[event.data.u64 >> 1].get();
    if (session == nullptr) continue;
    if ((event.data.u64 & 1) != 0) {
      session->OnPeerSocket();
    } else {
      session->OnClientSocket((event.events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0);
    }
  }
  context_.Flush();  // what peers send back
}

void Worker::OpenDue() {
  if (opened_ == share_ || releasing_) return;
  const Duration gap =
      plan_.ramp.count() > 0 ? plan_.ramp / plan_.sessions : Duration(seconds(1)) / kOpenRate;
  if (context_.now >= AsTime(control_.end_ns)) {
    // Interrupted: what was not begun will not be.
    share_ = opened_;
    return;
  }
  while (opened_ < share_ &&
         context_.now >= begun_ + gap * static_cast<int64_t>(opened_ * plan_.threads + index_)) {
    OpenSession(opened_, opened_ * plan_.threads + index_);
    ++opened_;
  }
}

void Worker::OpenSession(uint32_t slot, uint32_t number) {
  sessions_[slot] = std::make_unique<Session>(context_, number);
  Session& session = *sessions_[slot];
  session.Open();
  if (session.client_fd() < 0) return;
  // Edge-triggered: both handlers read until nothing is left. Of a datagram socket EPOLLOUT would
  // come after every packet.
  const uint32_t writable = IsStream(session.transport()) ? uint32_t{EPOLLOUT} : 0;
  Watched(epoll_.get(), EPOLL_CTL_ADD, session.client_fd(), EPOLLIN | EPOLLET | writable,
          EventKey(slot, false));
  Watched(epoll_.get(), EPOLL_CTL_ADD, session.peer_fd(), EPOLLIN | EPOLLET, EventKey(slot, true));
}

void Worker::StartReady() {
  if (!releasing_ && context_.now >= AsTime(control_.release_ns)) {
    releasing_ = true;
    next_timers_ = context_.now;
  }
  if (context_.now < AsTime(control_.start_ns) || releasing_) return;
  if (!started_) {
    started_ = true;
    schedule_.SetOrigin(AsTime(control_.start_ns));
    context_.measurements.timeline.SetOrigin(AsTime(control_.start_ns));
    for (uint32_t slot = 0; slot < sessions_.size(); ++slot) StartTraffic(slot);
  }
  schedule_.StopAt(AsTime(control_.end_ns));
}

void Worker::StartTraffic(uint32_t slot) {
  Session* const session = sessions_[slot].get();
  if (session == nullptr || session->state() != Session::State::kReady) return;
  session->Start();
  const SessionTraffic& traffic = plan_.TrafficOf(session->number());
  for (uint32_t direction = 0; direction < traffic.size(); ++direction) {
    const Pattern& pattern = traffic[direction];
    if (pattern.slots.empty()) continue;
    // Without `spread` flows keep their places against each other and all of a round is sent, even
    // where this thread itself begins late.
    MonoTime start = AsTime(control_.start_ns);
    if (plan_.spread) {
      start = std::max(start, context_.now);
      const int64_t place =
          2 * static_cast<int64_t>(session->number() % plan_.sessions) + direction;
      start += pattern.period / (2 * static_cast<int64_t>(plan_.sessions)) * place;
    } else {
      start += plan_.stagger * static_cast<int64_t>(session->number() / plan_.traffic.size());
    }
    schedule_.Add(2 * slot + direction, {&pattern, start, MonoTime::max(), plan_.rounds});
  }
  const Pattern& up = traffic[static_cast<size_t>(Direction::kClientToPeer)];
  const Pattern& down = plan_.echo ? up : traffic[static_cast<size_t>(Direction::kPeerToClient)];
  if (!plan_.echo) WatchByTime(slot, true, up);
  if (!IsStream(session->transport())) WatchByTime(slot, false, down);
}

void Worker::WatchByTime(uint32_t slot, bool is_peer, const Pattern& pattern) {
  if (pattern.slots.empty()) return;  // what may come is rare: epoll tells
  Session& session = *sessions_[slot];
  const int fd = is_peer ? session.peer_fd() : session.client_fd();
  Watched(epoll_.get(), EPOLL_CTL_DEL, fd, 0, 0);
  // Thousands of sockets that were all looked at together would keep packets waiting meanwhile.
  const Duration first = LookPeriod(pattern, is_peer) * static_cast<int64_t>(slot + 1) /
                         static_cast<int64_t>(sessions_.size());
  watches_.push({schedule_.NextTick(context_.now + first), slot, session.number(), is_peer});
}

void Worker::SendDue() {
  for (int sends = 0; sends < kMaxSends; ++sends) {
    const auto due = schedule_.Pop(context_.now);
    if (!due) break;
    Session* const session = sessions_[due->flow / 2].get();
    const auto direction = static_cast<Direction>(due->flow % 2);
    if (session->state() != Session::State::kSending || !session->Compose(*due, direction)) {
      schedule_.Stop(due->flow);
    }
  }
  context_.Flush();
}

void Worker::LookDue() {
  while (!watches_.empty() && watches_.top().time <= context_.now) {
    Watch watch = watches_.top();
    watches_.pop();
    Session* const session = sessions_[watch.slot].get();
    if (session == nullptr || session->number() != watch.session) continue;
    if (watch.is_peer) {
      session->OnPeerSocket();
    } else {
      session->OnClientSocket(false);
    }
    const SessionTraffic& traffic = plan_.TrafficOf(session->number());
    const bool is_up = watch.is_peer || plan_.echo;
    const Pattern& pattern =
        traffic[static_cast<size_t>(is_up ? Direction::kClientToPeer : Direction::kPeerToClient)];
    // An answer to a release is worth a closer look.
    const bool is_releasing = session->state() == Session::State::kReleasing;
    const Duration period = is_releasing ? kTimerPeriod : LookPeriod(pattern, watch.is_peer);
    watch.time = schedule_.NextTick(std::max(watch.time + period, context_.now));
    if (session->state() != Session::State::kDone) watches_.push(watch);
  }
  context_.Flush();
}

}  // namespace turnpike::load
