#include "tools/load/schedule.h"

#include <algorithm>

#include "common/base/check.h"

namespace turnpike::load {

MonoTime Schedule::OnTick(MonoTime time, Duration tick) const {
  if (tick.count() <= 0 || time <= origin_) return time;
  const Duration since = time - origin_;
  const auto ticks = (since.count() + tick.count() - 1) / tick.count();
  return origin_ + ticks * tick;
}

std::optional<MonoTime> Schedule::TimeOf(const Flow& flow) const {
  const FlowPlan& plan = flow.plan;
  if (plan.rounds != 0 && flow.round >= plan.rounds) return std::nullopt;
  const MonoTime exact = plan.start + plan.pattern->period * static_cast<int64_t>(flow.round) +
                         plan.pattern->slots[flow.slot].offset();
  const MonoTime time = OnTick(exact, tick_);
  if (time >= plan.end) return std::nullopt;
  return time;
}

void Schedule::Add(uint32_t number, const FlowPlan& plan) {
  TP_CHECK(plan.pattern != nullptr && !plan.pattern->slots.empty());
  if (number >= flows_.size()) flows_.resize(number + 1);
  Flow& flow = flows_[number];
  flow = {plan, 0, 0, 0, flow.generation + 1, true};
  const auto time = TimeOf(flow);
  if (!time) {
    flow.active = false;
    return;
  }
  heap_.push_back({*time, number, flow.generation});
  std::push_heap(heap_.begin(), heap_.end());
}

void Schedule::Stop(uint32_t flow) {
  if (flow < flows_.size()) flows_[flow].active = false;
}

void Schedule::DropStale() {
  while (!heap_.empty()) {
    const Entry& top = heap_.front();
    const Flow& flow = flows_[top.flow];
    if (flow.active && flow.generation == top.generation && top.time < end_) return;
    std::pop_heap(heap_.begin(), heap_.end());
    heap_.pop_back();
  }
}

std::optional<MonoTime> Schedule::Next() {
  DropStale();
  if (heap_.empty()) return std::nullopt;
  return heap_.front().time;
}

std::optional<DuePacket> Schedule::Pop(MonoTime now) {
  const auto next = Next();
  if (!next || *next > now) return std::nullopt;
  const uint32_t number = heap_.front().flow;
  Flow& flow = flows_[number];
  const DuePacket due{number, flow.sequence, flow.plan.pattern->slots[flow.slot].size(), *next};
  ++flow.sequence;
  if (++flow.slot == flow.plan.pattern->slots.size()) {
    flow.slot = 0;
    ++flow.round;
  }
  std::pop_heap(heap_.begin(), heap_.end());
  const auto time = TimeOf(flow);
  if (time) {
    heap_.back() = {*time, number, flow.generation};
    std::push_heap(heap_.begin(), heap_.end());
  } else {
    flow.active = false;
    heap_.pop_back();
  }
  return due;
}

}  // namespace turnpike::load
