// What the ledger thread publishes about itself: an immutable snapshot for metrics and health.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/metering/ledger.h"

namespace turnpike {

// Upper bounds of turn_metering_commit_seconds, in milliseconds.
inline constexpr std::array<uint32_t, 10> kCommitBoundsMs = {1,  2,   5,   10,   25,
                                                             50, 100, 250, 1000, 5000};

// CapLevel is how far a cap is used: `account` is `*` for one that holds for every account, and
// then it is the account that has come furthest; so is `label` for all labels together.
struct CapLevel {
  std::string account;
  std::string label;
  std::string_view period;  // day, month
  std::string limit;        // `500000000000 bytes`, or an amount of money
  uint64_t permille = 0;
};

// LedgerStatus is one snapshot; the thread makes a new one after each checkpoint, good or bad.
struct LedgerStatus {
  bool healthy = true;     // the last checkpoint was committed
  std::string last_error;  // when not healthy
  WallTime last_commit{};  // as_of of the last commit
  uint64_t checkpoints_failed = 0;
  uint64_t unpersisted_bytes = 0;  // billable bytes in the slots that the ledger does not hold
  uint64_t files_set_aside = 0;    // at the start; see SetAside
  std::array<uint64_t, kCommitBoundsMs.size() + 1> commit_buckets{};  // not cumulative
  uint64_t commit_sum_us = 0;
  uint64_t backup_interval_s = 0;  // 0: no backups are configured
  WallTime last_backup{};          // up to when the newest copy is complete; the epoch: no copy
  std::vector<BillableTotal> billable;
  std::vector<CapLevel> caps;  // in the order of the configuration
};

}  // namespace turnpike
