// Conditions that a run must meet: `loss<0.1%`, `p99<5ms`.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "tools/load/result.h"

namespace turnpike::load {

// Threshold is one condition. Values are in the metric's own unit: a share for loss, microseconds
// for times, a number for the rest.
struct Threshold {
  enum class Metric : uint8_t {
    kLoss,     // share of sent packets
    kLatency,  // at `percentile`; of an echo, the round trip
    kMeanLatency,
    kLateness,      // the generator's own, at `percentile`
    kGapError,      // of a replay, at `percentile`
    kFailed,        // sessions
    kDuplicates,    // packets
    kReordered,     // packets
    kServerCpu,     // microseconds per relayed packet; needs --server-pid
    kGeneratorCpu,  // microseconds per relayed packet
    kRate,          // relayed packets a second
  };
  enum class Relation : uint8_t { kLess, kLessOrEqual, kGreater, kGreaterOrEqual };

  std::string text;  // as typed
  Metric metric = Metric::kLoss;
  double percentile = 0;
  Relation relation = Relation::kLess;
  double value = 0;
};

// ParseThreshold reads a metric, `<`, `<=`, `>` or `>=`, and a value with its unit. Metrics: loss,
// p50 … p99.999, mean, max, lateness-p99 and gap-p99 and such, failed, duplicates, reordered,
// server-cpu, generator-cpu, pps. It fails with a sentence.
std::expected<Threshold, std::string> ParseThreshold(std::string_view text);

// Verdict says whether a run met a condition.
struct Verdict {
  std::string text;  // the threshold, as typed
  double measured = 0;
  bool passed = false;
  std::string detail;  // for people: `p99<5ms: 7.3 ms`
};

// Judge measures one condition. A metric that was not measured is not met.
Verdict Judge(const Threshold& threshold, const RunResult& result);

}  // namespace turnpike::load
