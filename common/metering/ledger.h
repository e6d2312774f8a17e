// The ledger: SQLite holds every session, its usage per 15-minute bucket, and the buckets per
// account, region, transport and label. LEDGER.md states the format and the guarantees.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/metering/slots.h"
#include "common/metering/usage_row.h"

namespace turnpike {

// BillableTotal is the sum of one account's billable payload in one region since the ledger began:
// what `turn_billable_bytes_total` shows. It never decreases, restarts included.
struct BillableTotal {
  std::string account;
  std::string region;
  std::array<uint64_t, kDirectionCount> payload_bytes{};
};

// CheckpointStats says what one checkpoint did.
struct CheckpointStats {
  WallTime as_of{};       // everything relayed before it is in the ledger
  uint64_t sessions = 0;  // records written
  uint64_t freed_slots = 0;
  std::vector<AccountUsage> growth;  // what the buckets grew by
  // An earlier checkpoint failed and may have been stored all the same: what it added is in no
  // growth. UsageSince knows all.
  bool growth_is_partial = false;
};

// LedgerOptions are for tests: a file system that fails, and a look at each step of a checkpoint.
struct LedgerOptions {
  // The name of a registered SQLite VFS; empty for the usual one.
  std::string vfs;
  // Called with `begin`, `store`, `commit`, `settle` and `free`, before the step of that name, and
  // with `done` at the end.
  std::function<void(std::string_view step)> on_step;
};

// Ledger is the writer: one per directory, one thread. Nothing it does blocks a worker.
class Ledger {
 public:
  // Open opens or creates `directory`/usage.db, locks it against a second writer (usage.lock), and
  // marks it open. A damaged file is set aside, as usage.db.damaged-1 (then -2 …) beside its WAL,
  // and a new one begun: a server that refused to start would relay nothing and mend nothing. It
  // fails with a sentence that names the file and the remedy when the file is another application's
  // database, is read-only, is in use, or has a newer schema. `identity` must be what the slot
  // files of its checkpoints were opened with.
  static std::expected<std::unique_ptr<Ledger>, std::string> Open(const std::string& directory,
                                                                  LedgerIdentity identity,
                                                                  LedgerOptions options = {});
  ~Ledger();

  // Checkpoint stores the totals of every used slot in one transaction, then settles and frees
  // slots. On failure nothing in the slots has changed, the connection is closed, and the next call
  // opens it anew; the error is a sentence for the log.
  //
  // `as_of` is a wall time at which every worker has finished the loop turns that began before it:
  // the time read before the call, less the longest turn the caller allows. It becomes what reports
  // say.
  //
  // Totals go in as absolute numbers; buckets grow by the difference to the session's stored
  // totals, read in the same transaction: a repeated checkpoint changes nothing. The first
  // checkpoint also closes, as kCrash, sessions that the ledger holds open and no slot knows.
  std::expected<CheckpointStats, std::string> Checkpoint(SlotFile& slots, WallTime as_of);

  // Finish writes the last checkpoint and, when no session is live any more, marks the ledger
  // cleanly closed: until a server opens it again, its figures are complete.
  std::expected<CheckpointStats, std::string> Finish(SlotFile& slots, WallTime as_of);

  // UsageSince reads all buckets from that of `from` on, one after the other, as the last commit
  // left them. It fails with a sentence, perhaps after some of them.
  std::expected<void, std::string> UsageSince(
      WallTime from, const std::function<void(const AccountUsage&)>& visit);

  // Forget takes username, addresses and drops out of sessions that ended before `erase_before`,
  // and whole sessions with their parts that ended before `prune_before`: a few hundred in one
  // transaction, so that no checkpoint waits for it: call it after each. Usage and sums stay. It
  // fails like Checkpoint does.
  std::expected<void, std::string> Forget(WallTime erase_before, WallTime prune_before);

  // BeginBackup begins to copy the ledger, and copies the books of closed months, to `directory`
  // (backup.h). StepBackup goes on with it, for a millisecond or so: call it between checkpoints,
  // until it returns true. What is committed meanwhile is in the copy. A failed checkpoint also
  // ends the backup, and the next step says so. Both fail with a sentence.
  std::expected<void, std::string> BeginBackup(const std::string& directory);
  std::expected<bool, std::string> StepBackup();

  // BillableTotals lists the sums per account and region that are committed, in the order in which
  // accounts first appeared: a cap on the number of metric series then always cuts the same ones.
  const std::vector<BillableTotal>& BillableTotals() const;

  // UnpersistedBytes counts billable bytes in the slots that the last commit does not hold.
  uint64_t UnpersistedBytes(const SlotFile& slots) const;

 private:
  struct State;
  explicit Ledger(std::unique_ptr<State> state);

  std::expected<CheckpointStats, std::string> Write(SlotFile& slots, WallTime as_of, bool closing);

  std::unique_ptr<State> state_;
};

}  // namespace turnpike
