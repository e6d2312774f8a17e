#include "tools/load/result.h"

namespace turnpike::load {

void Measurements::Merge(const Measurements& other) {
  for (size_t i = 0; i < latency.size(); ++i) latency[i].Merge(other.latency[i]);
  lateness.Merge(other.lateness);
  gap_error.Merge(other.gap_error);
  timeline.Merge(other.timeline);
  small_packets += other.small_packets;
  foreign_packets += other.foreign_packets;
  trains += other.trains;
  train_packets += other.train_packets;
}

FlowCounts RunResult::totals(Direction direction) const {
  FlowCounts sum;
  for (const SessionResult& session : sessions)
    sum += session.counts[static_cast<size_t>(direction)];
  return sum;
}

uint64_t RunResult::relayed_packets() const {
  return totals(Direction::kClientToPeer).received_packets +
         totals(Direction::kPeerToClient).received_packets;
}

uint64_t RunResult::relayed_bytes() const {
  return totals(Direction::kClientToPeer).received_bytes +
         totals(Direction::kPeerToClient).received_bytes;
}

double RunResult::loss() const {
  FlowCounts sum = totals(Direction::kClientToPeer);
  sum += totals(Direction::kPeerToClient);
  if (sum.sent_packets == 0) return 0;
  return static_cast<double>(sum.lost_packets()) / static_cast<double>(sum.sent_packets);
}

double RunResult::packets_per_train() const {
  if (measurements.trains == 0) return 0;
  return static_cast<double>(measurements.train_packets) / static_cast<double>(measurements.trains);
}

uint64_t RunResult::kernel_drops() const {
  uint64_t sum = 0;
  for (const SessionResult& session : sessions) sum += session.kernel_drops;
  return sum;
}

uint64_t RunResult::unsent_packets() const {
  return totals(Direction::kClientToPeer).unsent_packets +
         totals(Direction::kPeerToClient).unsent_packets;
}

Histogram RunResult::latency() const {
  Histogram all = measurements.latency[static_cast<size_t>(Direction::kPeerToClient)];
  if (!echo) all.Merge(measurements.latency[static_cast<size_t>(Direction::kClientToPeer)]);
  return all;
}

std::map<std::string, uint64_t> RunResult::failures() const {
  std::map<std::string, uint64_t> reasons;
  for (const SessionResult& session : sessions) {
    if (!session.failure.empty()) ++reasons[session.failure];
  }
  return reasons;
}

}  // namespace turnpike::load
