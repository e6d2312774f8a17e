// The open-loop schedule: which packet of which flow is to leave next. It knows nothing of what
// became of earlier packets, so a slow server does not slow it down.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/time.h"
#include "tools/load/pattern.h"

namespace turnpike::load {

// DuePacket is a packet whose time has come. `intended` is when it should have left: latency counts
// from there.
struct DuePacket {
  uint32_t flow = 0;
  uint32_t sequence = 0;  // counts the flow's packets from 0
  uint32_t size = 0;
  MonoTime intended;
};

// FlowPlan says how one flow goes: rounds of `pattern` from `start` on, until `rounds` are through
// (0: no limit) or `end` is reached. The pattern outlives the schedule.
struct FlowPlan {
  const Pattern* pattern = nullptr;
  MonoTime start;
  MonoTime end = MonoTime::max();
  uint64_t rounds = 0;
};

// Schedule holds any number of flows.
class Schedule {
 public:
  // Packets are intended for the first multiple of `tick` after `origin` that is not before their
  // time: a tick's packets leave in one go. A tick of 0 leaves times as they are.
  explicit Schedule(Duration tick) : tick_(tick) {}

  // SetOrigin says from where ticks count. Before the first Add.
  void SetOrigin(MonoTime origin) { origin_ = origin; }

  // NextTick returns the first tick that is not before `time`: whoever has something to do that can
  // wait does it when packets leave, rather than wake up for it. Without ticks it is a multiple of
  // kIdleTick.
  MonoTime NextTick(MonoTime time) const {
    return OnTick(time, tick_.count() > 0 ? tick_ : kIdleTick);
  }

  // Add starts a flow under a number of the caller's. A flow of that number that is still there
  // ends.
  void Add(uint32_t flow, const FlowPlan& plan);

  // Stop ends a flow at once.
  void Stop(uint32_t flow);

  // StopAt makes every flow end at `end`, if it would not end before.
  void StopAt(MonoTime end) { end_ = end; }

  // Next returns when the next packet is due, or nullopt when no flow is left.
  std::optional<MonoTime> Next();

  // Pop returns the next packet that is due at `now`. Packets of one flow and one time come one
  // after the other.
  std::optional<DuePacket> Pop(MonoTime now);

 private:
  static constexpr Duration kIdleTick = std::chrono::milliseconds(1);

  struct Flow {
    FlowPlan plan;
    uint64_t round = 0;
    uint32_t slot = 0;
    uint32_t sequence = 0;
    uint32_t generation = 0;
    bool active = false;
  };
  struct Entry {
    MonoTime time;
    uint32_t flow = 0;
    uint32_t generation = 0;

    // The heap of the standard library keeps the largest on top.
    friend bool operator<(const Entry& a, const Entry& b) {
      return a.time != b.time ? a.time > b.time : a.flow > b.flow;
    }
  };

  // TimeOf returns when the flow's next packet is intended, or nullopt when there is none.
  std::optional<MonoTime> TimeOf(const Flow& flow) const;
  MonoTime OnTick(MonoTime time, Duration tick) const;
  void DropStale();

  Duration tick_;
  MonoTime origin_;
  MonoTime end_ = MonoTime::max();
  std::vector<Flow> flows_;
  std::vector<Entry> heap_;
};

}  // namespace turnpike::load
