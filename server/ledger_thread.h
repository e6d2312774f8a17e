// The one thread that owns the ledger: every checkpoint, and what is published about them.
#pragma once

#include <condition_variable>
#include <expected>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "common/base/time.h"
#include "common/metering/ledger.h"
#include "common/metering/ledger_status.h"
#include "common/metering/slots.h"
#include "server/cap_keeper.h"
#include "server/ops/admin_actions.h"

namespace turnpike {

// LedgerRetention says how long after its end a session is kept.
struct LedgerRetention {
  Duration sessions;  // who and where it was
  Duration parts;     // at all
};

// LedgerBackups say where a copy of the ledger goes, and how often; an empty directory: none.
struct LedgerBackups {
  std::string directory = {};
  Duration every = std::chrono::hours(24);
};

// LedgerThread writes a checkpoint each interval, and earlier when sessions come and go so fast
// that slots run short. A checkpoint that fails is logged, published and tried again; calls go on,
// since the slots keep counting.
class LedgerThread {
 public:
  // `slots` is not owned.
  LedgerThread(std::unique_ptr<Ledger> ledger, SlotFile& slots, Duration interval,
               LedgerRetention retention, LedgerBackups backups = {}, uint64_t files_set_aside = 0);
  // The destructor ends the thread without a last checkpoint, for a start that failed.
  ~LedgerThread();
  LedgerThread(const LedgerThread&) = delete;
  LedgerThread& operator=(const LedgerThread&) = delete;

  // SetCaps gives the thread caps to hold accounts to; before Recover. It fails with a sentence
  // when the usage of this month so far cannot be read.
  std::expected<void, std::string> SetCaps(std::unique_ptr<CapKeeper> caps);

  // ReplaceCaps does the same while the thread runs, at the next checkpoint that can read the
  // usage. Any thread.
  void ReplaceCaps(std::unique_ptr<CapKeeper> caps);

  // ReadLive reads the sessions that live from the slots, on the thread that alone may: the future
  // is ready at once, or when a checkpoint that is under way is through. Any thread.
  std::future<std::vector<LiveSession>> ReadLive();

  // Recover writes what an earlier process left in the slots, on the calling thread. Call it before
  // Start, and before listeners open. A failure is no reason not to serve: those slots stay as they
  // are until a checkpoint succeeds.
  void Recover();

  // Start starts the thread.
  void Start();

  // Stop writes the last checkpoint and ends the thread, if it was started. No worker runs (any
  // more). It returns false when the ledger refused: everything is then still in the slots, for the
  // next start.
  bool Stop();

  // status returns the newest snapshot; never null, any thread.
  std::shared_ptr<const LedgerStatus> status() const;

 private:
  enum class Kind : uint8_t { kPeriodic, kLast };

  void Run();
  bool Checkpoint(Kind kind);
  void ForgetOldSessions();
  void BackUp(MonoTime now);
  void EndBackup(const std::expected<bool, std::string>& done, MonoTime now);
  bool SlotsRunShort() const;
  void TakeNewCaps();
  std::expected<void, std::string> ReadUsage(CapKeeper& caps);
  void CountGrowth(const CheckpointStats& stats);
  std::vector<LiveSession> LiveSessions() const;
  void Note(std::expected<CheckpointStats, std::string> result, Duration took, Now now);
  void LogFailure(const std::string& error, uint64_t unpersisted, MonoTime now);
  void Publish();

  std::unique_ptr<Ledger> ledger_;
  SlotFile& slots_;
  std::unique_ptr<CapKeeper> caps_;  // nullptr: no caps
  bool caps_are_stale_ = false;      // they lack usage that the ledger has
  const Duration interval_;
  const LedgerRetention retention_;
  const LedgerBackups backups_;

  // Of the thread that checkpoints.
  LedgerStatus current_;
  uint32_t used_after_checkpoint_ = 0;
  std::optional<MonoTime> last_failure_log_;
  std::optional<MonoTime> backup_due_;  // nullopt: the first is due at once
  bool is_backing_up_ = false;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::unique_ptr<CapKeeper> new_caps_;                          // guarded by mutex_
  std::vector<std::promise<std::vector<LiveSession>>> readers_;  // guarded by mutex_
  bool stopping_ = false;                                        // guarded by mutex_
  bool finish_ = false;                            // guarded by mutex_: with a last checkpoint
  std::shared_ptr<const LedgerStatus> published_;  // guarded by mutex_
  bool finished_well_ = false;                     // read after the join
  std::thread thread_;
};

}  // namespace turnpike
