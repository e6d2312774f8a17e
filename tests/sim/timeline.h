// Simulated time: what happens when, and both clocks.
#pragma once

#include <chrono>
#include <functional>
#include <iterator>
#include <map>
#include <utility>

#include "common/base/check.h"
#include "common/base/random.h"
#include "common/base/time.h"

namespace turnpike::sim {

// Timeline orders events. The monotonic clock only goes on when it is told to; the wall clock goes
// with it, and steps.
class Timeline {
 public:
  explicit Timeline(WallTime wall) : wall_(wall) {}

  Now now() const { return {mono_, wall_}; }

  // After lets `event` happen in `delay`; events of the same moment keep their order.
  void After(Duration delay, std::function<void()> event) {
    events_.emplace(mono_ + delay, std::move(event));
  }

  // next says when the next event is due; there must be one.
  bool empty() const { return events_.empty(); }
  MonoTime next() const { return events_.begin()->first; }

  // Pop removes the next event, whose time must have come, for the caller to run.
  std::function<void()> Pop() {
    TP_CHECK(next() <= mono_);
    auto event = std::move(events_.begin()->second);
    events_.erase(events_.begin());
    return event;
  }

  // AdvanceTo moves both clocks on; earlier times are ignored.
  void AdvanceTo(MonoTime when) {
    if (when <= mono_) return;
    wall_ += std::chrono::floor<std::chrono::microseconds>(when - mono_);
    mono_ = when;
  }

  // StepWall sets the wall clock forward or back.
  void StepWall(std::chrono::microseconds by) { wall_ += by; }

 private:
  std::multimap<MonoTime, std::function<void()>> events_;
  MonoTime mono_{std::chrono::seconds(1000)};
  WallTime wall_;
};

// Dice are the simulation's choices; the same seed throws the same dice.
class Dice {
 public:
  explicit Dice(RandomSource& random) : random_(random) {}

  uint32_t Below(uint32_t bound) { return random_.Below(bound); }
  uint32_t Between(uint32_t low, uint32_t high) { return low + Below(high - low + 1); }
  bool Percent(uint32_t chance) { return Below(100) < chance; }
  bool PerMille(uint32_t chance) { return Below(1000) < chance; }
  std::chrono::milliseconds Milliseconds(uint32_t low, uint32_t high) {
    return std::chrono::milliseconds(Between(low, high));
  }
  // Pick returns an element of `container`, which lives until the end of the expression at least.
  template <typename Container>
  auto& Pick(Container&& container) {
    return container[Below(static_cast<uint32_t>(std::size(container)))];
  }
  RandomSource& source() { return random_; }

 private:
  RandomSource& random_;
};

}  // namespace turnpike::sim
