// The run by seconds, for plots: what was sent in each and what became of it.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/time.h"
#include "tools/load/histogram.h"

namespace turnpike::load {

// Interval is one second. Every packet counts in the second that it was intended for, also when it
// arrives later: so loss belongs to the second that lost it.
struct Interval {
  static constexpr int kPrecisionBits = 6;

  uint64_t sent_packets = 0;
  uint64_t sent_bytes = 0;
  uint64_t received_packets = 0;
  uint64_t received_bytes = 0;
  Histogram latency{kPrecisionBits};
};

// Timeline is all intervals from `origin` on.
class Timeline {
 public:
  static constexpr Duration kWidth = std::chrono::seconds(1);

  void SetOrigin(MonoTime origin) { origin_ = origin; }

  // OnSent and OnReceived note one packet that was intended for `intended`.
  void OnSent(MonoTime intended, uint32_t size);
  void OnReceived(MonoTime intended, uint32_t size, Duration latency);

  // Merge adds another timeline of the same origin.
  void Merge(const Timeline& other);

  const std::vector<Interval>& intervals() const { return intervals_; }

 private:
  Interval& At(MonoTime time);

  MonoTime origin_;
  std::vector<Interval> intervals_;
};

}  // namespace turnpike::load
