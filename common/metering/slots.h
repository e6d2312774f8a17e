// Live counters in a memory-mapped file: what a session relayed, safe from a crash of the process.
//
// The file is made of segments; a segment holds kSlotsPerSegment slots as three dense arrays
// (counters, identities, boundary rings), is preallocated when it is added (so that a full disk is
// an error then, not a SIGBUS later), and never moves in memory. LEDGER.md describes the format.
//
// A slot is free -> live (Acquire) -> closed (Close) -> free (Free, after the ledger has committed
// the session's final totals). Nothing else frees a slot: an unbilled session cannot be forgotten.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "common/metering/usage.h"

namespace turnpike {

// LedgerIdentity says which run of which server a session belongs to: every record carries it. The
// three names together are at most 1000 bytes.
struct LedgerIdentity {
  std::string node;
  std::string region;
  std::string edge;
  SessionId boot{};  // a fresh UUIDv7 of this start of the process

  friend bool operator==(const LedgerIdentity&, const LedgerIdentity&) = default;
};

// SlotSnapshot is one consistent reading of a used slot's counters: no byte of a newer bucket is in
// `totals` unless that bucket is in `boundaries`.
struct SlotSnapshot {
  SlotId slot;
  SessionId id{};  // tells this session from others that had the slot
  bool closed = false;
  CloseReason close_reason = CloseReason::kExpired;  // when closed
  WallTime ended_at{};                               // when closed
  UsageTotals totals;
  std::array<uint64_t, kDropReasonCount> dropped_packets{};
  BucketIndex bucket = kNoBucket;  // of the newest byte
  // Totals at the first byte of each bucket not yet settled, oldest first; `bucket` may go
  // backwards after a clock step.
  struct Boundary {
    BucketIndex bucket;
    UsageTotals totals;
  };
  std::vector<Boundary> boundaries;
  uint32_t ring_head = 0;  // what Settle retires when this snapshot has been committed
};

// SlotError says why no slot could be had.
enum class SlotError : uint8_t {
  kExhausted,  // all `max_slots` are in use or wait for the ledger
  kDiskFull,   // the file could not grow
};

// SlotFile owns the mapping. Acquire, Close and meters are for workers (any thread; Acquire and
// Close take a short mutex on the cold path); the rest is for the ledger thread alone.
class SlotFile {
 public:
  // Open maps the file at `path`, creates it when missing, and locks it: a second process gets an
  // error that names the file. It fails with a sentence when the file is not ours, is of a newer
  // format, is damaged, or cannot be read, written or locked.
  //
  // Slots of earlier processes stay used, under the identity that ran them, until the ledger has
  // them; those still live are closed as kCrash at the last heartbeat. New sessions belong to
  // `identity`.
  static std::expected<std::unique_ptr<SlotFile>, std::string> Open(const std::string& path,
                                                                    uint32_t max_slots,
                                                                    const LedgerIdentity& identity);
  ~SlotFile();
  SlotFile(const SlotFile&) = delete;
  SlotFile& operator=(const SlotFile&) = delete;

  // Acquire takes a free slot, clears its counters, writes `info` and makes it live. The names must
  // be within the limits of usage.h.
  std::expected<SessionMeter, SlotError> Acquire(const SessionInfo& info);

  // Close marks a live slot closed. Its totals must be final. A session that began after
  // `ended_at`, since the clock stepped back or is another's, ends when it began.
  void Close(SlotId slot, CloseReason reason, WallTime ended_at);

  // CloseAllLive closes every live slot as Close does; nobody may add to them any more. The
  // process that made them live may be dead.
  void CloseAllLive(CloseReason reason, WallTime ended_at);

  // UsedSlots lists the slots that are live or closed.
  std::vector<SlotId> UsedSlots() const;

  // Read takes a consistent snapshot of a used slot beside a running worker. ReadInfo and
  // ReadIdentity copy what does not change while the slot is used: who it is, and who ran it.
  SlotSnapshot Read(SlotId slot) const;
  SessionInfo ReadInfo(SlotId slot) const;
  LedgerIdentity ReadIdentity(SlotId slot) const;

  // Settle retires the boundaries that `snapshot` showed, but the newest; call it after the commit
  // that holds them. Free gives a closed slot back, after the commit that holds its final totals.
  void Settle(const SlotSnapshot& snapshot);
  void Free(SlotId slot);

  // Heartbeat notes that the server was alive at `now`: the end of its sessions, should it die.
  void Heartbeat(WallTime now);

  // GrowAhead extends the file when few slots are free, so that Acquire need not. A failure is left
  // for Acquire to report.
  void GrowAhead();

  // identity returns what Open was given.
  const LedgerIdentity& identity() const;

  // used and capacity count slots, for metrics; any thread.
  uint32_t used() const;
  uint32_t capacity() const;

 private:
  struct State;
  explicit SlotFile(std::unique_ptr<State> state);

  // AdoptUsedSlots checks what an earlier process left, closes it, and fills the free list.
  void AdoptUsedSlots();
  // ChooseBoot writes the identity to a boot record that no used slot refers to.
  std::expected<void, std::string> ChooseBoot(const std::string& path);
  // TakeFree removes a slot from the free list, and grows the file when there is none.
  std::expected<uint32_t, SlotError> TakeFree();

  std::unique_ptr<State> state_;
};

}  // namespace turnpike
