// Merging the ledgers of several nodes, or several copies of one, into a file that every report
// reads. LEDGER.md says what is equal after it.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"

namespace turnpike {

// MergeOptions say what goes where.
struct MergeOptions {
  std::vector<std::string> sources;  // ledger files or metering directories, also merged files
  std::string output;                // a new file, or one that a merge made
  std::vector<std::string> nodes;    // nodes that the output should hold; may be empty
  std::string vfs;                   // of the output, for tests
  // Called with each source before it is read.
  std::function<void(std::string_view source)> progress;
};

// MergeGap is something that the merged file is known not to hold, or may not hold.
struct MergeGap {
  std::string node;
  std::string boot;  // a UUID; empty when it concerns the node as a whole
  std::string text;
  bool is_missing = false;  // a node of `nodes` of which nothing was merged
};

// MergeReport says what the output holds now.
struct MergeReport {
  WallTime as_of{};        // every ledger in it is complete up to here
  bool is_closed = false;  // every ledger in it was closed cleanly
  uint64_t ledgers = 0;
  uint64_t boots = 0;
  uint64_t sessions = 0;
  uint64_t new_sessions = 0;  // that it did not hold before
  uint64_t billable_bytes = 0;
  std::vector<MergeGap> gaps;
};

// MergeLedgers adds every source to the output, in one transaction: an interruption leaves it as it
// was. Any order and any repetition gives the same content, older and newer copies of a ledger
// included: of a session, all that the ledger with the larger totals says counts (merger.h).
// Sources are read like reports read them. It fails with a sentence that names the file and the
// remedy.
std::expected<MergeReport, std::string> MergeLedgers(const MergeOptions& options);

}  // namespace turnpike
