// Live counters in a memory-mapped file: what a session relayed, safe from a crash of the process.
//
// The file is made of segments; a segment holds kSlotsPerSegment slots as three dense arrays (counters,
// identities, boundary rings), is preallocated when it is added (so that a full disk is an error then,
// not a SIGBUS later), and never moves in memory. LEDGER.md describes the format.
//
// A slot is free -> live (Acquire) -> closed (Close) -> free (Free, after the ledger has committed the
// session's final totals). Nothing else frees a slot: an unbilled session cannot be forgotten.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/metering/usage.h"

namespace turnpike {

// SlotSnapshot is one consistent reading of a used slot.
struct SlotSnapshot {
  SlotId slot;
  SessionInfo info;
  bool closed = false;
  CloseReason close_reason = CloseReason::kExpired;  // when closed
  WallTime ended_at{};                               // when closed
  UsageTotals totals;
  std::array<uint64_t, kDropReasonCount> dropped_packets{};
  // Totals at the first byte of each bucket not yet settled, oldest first; `bucket` may go backwards
  // after a clock step.
  struct Boundary {
    BucketIndex bucket;
    UsageTotals totals;
  };
  std::vector<Boundary> boundaries;
  uint32_t ring_head = 0;  // what Settle retires when this snapshot has been committed
};

// SlotError says why no slot could be had.
enum class SlotError : uint8_t {
  kExhausted,   // all `max_slots` are in use or wait for the ledger
  kDiskFull,    // the file could not grow
};

// SlotFile owns the mapping. Acquire, Close and meter are for workers (any thread; Acquire and Close
// take a short mutex on the cold path); the rest is for the ledger thread alone.
class SlotFile {
 public:
  // Open maps the file at `path`, creates it when missing, and locks it: a second process gets an
  // error that names the file. It fails with a sentence when the file is not ours, is of a newer
  // format, is damaged, or cannot be read, written or locked. Slots of an earlier process are kept as
  // they are, for Recover.
  static std::expected<std::unique_ptr<SlotFile>, std::string> Open(const std::string& path,
                                                                    uint32_t max_slots);
  ~SlotFile();
  SlotFile(const SlotFile&) = delete;
  SlotFile& operator=(const SlotFile&) = delete;

  // Acquire takes a free slot, clears its counters, writes `info` and makes it live.
  std::expected<SessionMeter, SlotError> Acquire(const SessionInfo& info);

  // Close marks a live slot closed. Its totals must be final.
  void Close(SlotId slot, CloseReason reason, WallTime ended_at);

  // CloseAllLive closes every live slot, for sessions whose process died.
  void CloseAllLive(CloseReason reason, WallTime ended_at);

  // UsedSlots lists the slots that are live or closed.
  std::vector<SlotId> UsedSlots() const;

  // Read takes a consistent snapshot of a used slot beside a running worker.
  SlotSnapshot Read(SlotId slot) const;

  // Settle retires the boundaries that `snapshot` showed; call it after the commit that holds them.
  // Free gives a closed slot back, after the commit that holds its final totals.
  void Settle(const SlotSnapshot& snapshot);
  void Free(SlotId slot);

  // used and capacity count slots, for metrics; any thread.
  uint32_t used() const;
  uint32_t capacity() const;

 private:
  struct Header;
  struct Identity;
  struct Segment;

  SlotFile() = default;

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace turnpike
