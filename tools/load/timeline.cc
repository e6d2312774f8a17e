#include "tools/load/timeline.h"

#include <algorithm>

namespace turnpike::load {

Interval& Timeline::At(MonoTime time) {
  const auto index = static_cast<size_t>(std::max<int64_t>(0, (time - origin_) / kWidth));
  if (index >= intervals_.size()) intervals_.resize(index + 1);
  return intervals_[index];
}

void Timeline::OnSent(MonoTime intended, uint32_t size) {
  Interval& interval = At(intended);
  ++interval.sent_packets;
  interval.sent_bytes += size;
}

void Timeline::OnReceived(MonoTime intended, uint32_t size, Duration latency) {
  Interval& interval = At(intended);
  ++interval.received_packets;
  interval.received_bytes += size;
  interval.latency.Record(latency);
}

void Timeline::Merge(const Timeline& other) {
  if (intervals_.size() < other.intervals_.size()) intervals_.resize(other.intervals_.size());
  for (size_t i = 0; i < other.intervals_.size(); ++i) {
    Interval& to = intervals_[i];
    const Interval& from = other.intervals_[i];
    to.sent_packets += from.sent_packets;
    to.sent_bytes += from.sent_bytes;
    to.received_packets += from.received_packets;
    to.received_bytes += from.received_bytes;
    to.latency.Merge(from.latency);
  }
}

}  // namespace turnpike::load
