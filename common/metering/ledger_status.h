// What the ledger thread publishes about itself: an immutable snapshot for metrics and health.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/metering/ledger.h"

namespace turnpike {

// Upper bounds of turn_metering_commit_seconds, in milliseconds.
inline constexpr std::array<uint32_t, 10> kCommitBoundsMs = {1,  2,   5,   10,   25,
                                                             50, 100, 250, 1000, 5000};

// LedgerStatus is one snapshot; the thread makes a new one after each checkpoint, good or bad.
struct LedgerStatus {
  bool healthy = true;     // the last checkpoint was committed
  std::string last_error;  // when not healthy
  WallTime last_commit{};  // as_of of the last commit
  uint64_t checkpoints_failed = 0;
  uint64_t unpersisted_bytes = 0;  // billable bytes in the slots that the ledger does not hold
  std::array<uint64_t, kCommitBoundsMs.size() + 1> commit_buckets{};  // not cumulative
  uint64_t commit_sum_us = 0;
  std::vector<BillableTotal> billable;
};

}  // namespace turnpike
