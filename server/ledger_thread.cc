#include "server/ledger_thread.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>

#include "common/base/log.h"
#include "common/metering/backup.h"
#include "server/io/clock.h"
#include "server/process.h"

namespace turnpike {
namespace {

using std::chrono::milliseconds;

// How often the thread looks whether slots run short.
constexpr milliseconds kLook{250};

// A worker stamps bytes with the time at which its loop turn began, and a turn takes milliseconds:
// nothing older than this is still on its way into the slots. Were a worker held up for longer, its
// bytes would still be counted, in the next checkpoint.
constexpr std::chrono::seconds kLongestTurn{1};

// A disk stays broken for hours; one line a minute says so.
constexpr std::chrono::seconds kFailureLogInterval{60};

constexpr int kLastAttempts = 3;

// Between two steps of a backup, each of a millisecond or so: the disk is left to the checkpoints.
constexpr milliseconds kBackupPause{4};

// After a backup that failed: a full disk is emptied by people.
constexpr std::chrono::minutes kBackupRetry{10};

}  // namespace

LedgerThread::LedgerThread(std::unique_ptr<Ledger> ledger, SlotFile& slots, Duration interval,
                           LedgerRetention retention, LedgerBackups backups,
                           uint64_t files_set_aside)
    : ledger_(std::move(ledger)),
      slots_(slots),
      interval_(interval),
      retention_(retention),
      backups_(std::move(backups)) {
  current_.files_set_aside = files_set_aside;
  if (!backups_.directory.empty()) {
    current_.backup_interval_s = static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(backups_.every).count());
    // A restart makes no copy older or newer.
    current_.last_backup = LastBackup(backups_.directory).value_or(WallTime{});
  }
  Publish();
}

LedgerThread::~LedgerThread() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

std::expected<void, std::string> LedgerThread::ReadUsage(CapKeeper& caps) {
  caps.Forget();
  return ledger_->UsageSince(BillingPeriodOf(ReadClocks().wall).from,
                             [&](const AccountUsage& usage) { caps.Add(usage); });
}

std::expected<void, std::string> LedgerThread::SetCaps(std::unique_ptr<CapKeeper> caps) {
  if (auto ok = ReadUsage(*caps); !ok) return ok;
  caps_ = std::move(caps);
  return {};
}

void LedgerThread::ReplaceCaps(std::unique_ptr<CapKeeper> caps) {
  const std::lock_guard lock(mutex_);
  new_caps_ = std::move(caps);
}

void LedgerThread::TakeNewCaps() {
  std::unique_ptr<CapKeeper> caps;
  {
    const std::lock_guard lock(mutex_);
    caps = std::move(new_caps_);
  }
  if (caps == nullptr) return;
  if (ReadUsage(*caps)) {
    caps_ = std::move(caps);
    caps_are_stale_ = false;
    return;
  }
  const std::lock_guard lock(mutex_);
  if (new_caps_ == nullptr) new_caps_ = std::move(caps);
}

void LedgerThread::Recover() { Checkpoint(Kind::kPeriodic); }

void LedgerThread::Start() {
  thread_ = std::thread([this] {
    NameThread("ledger");
    Run();
  });
}

bool LedgerThread::Stop() {
  if (!thread_.joinable()) return Checkpoint(Kind::kLast);
  {
    const std::lock_guard lock(mutex_);
    stopping_ = finish_ = true;
  }
  wake_.notify_one();
  thread_.join();
  return finished_well_;
}

std::shared_ptr<const LedgerStatus> LedgerThread::status() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

std::future<std::vector<LiveSession>> LedgerThread::ReadLive() {
  std::promise<std::vector<LiveSession>> reader;
  auto sessions = reader.get_future();
  {
    const std::lock_guard lock(mutex_);
    readers_.push_back(std::move(reader));
  }
  wake_.notify_one();
  return sessions;
}

std::vector<LiveSession> LedgerThread::LiveSessions() const {
  std::vector<LiveSession> sessions;
  for (const SlotId slot : slots_.UsedSlots()) {
    const SlotSnapshot snapshot = slots_.Read(slot);
    if (snapshot.closed) continue;
    const auto& drops = snapshot.dropped_packets;
    sessions.push_back({.info = slots_.ReadInfo(slot),
                        .totals = snapshot.totals,
                        .dropped_packets = std::accumulate(drops.begin(), drops.end(), uint64_t{0}),
                        .bytes_per_second = std::nullopt});
  }
  return sessions;
}

void LedgerThread::Run() {
  MonoTime due = ReadClocks().mono + interval_;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const Duration look = is_backing_up_ ? kBackupPause : kLook;
    const Duration wait = std::min<Duration>(due - ReadClocks().mono, look);
    wake_.wait_for(lock, std::max(wait, Duration::zero()),
                   [this] { return stopping_ || !readers_.empty(); });
    if (stopping_) break;
    auto readers = std::exchange(readers_, {});
    lock.unlock();
    for (auto& reader : readers) reader.set_value(LiveSessions());
    const Now now = ReadClocks();
    slots_.Heartbeat(now.wall);
    slots_.GrowAhead();
    if (now.mono >= due || SlotsRunShort()) {
      if (Checkpoint(Kind::kPeriodic)) ForgetOldSessions();
      due = ReadClocks().mono + interval_;
    }
    if (!backups_.directory.empty()) BackUp(now.mono);
    lock.lock();
  }
  const bool finish = finish_;
  lock.unlock();
  for (int i = 0; finish && !finished_well_ && i < kLastAttempts; ++i) {
    finished_well_ = Checkpoint(Kind::kLast);
  }
}

void LedgerThread::ForgetOldSessions() {
  using std::chrono::microseconds;
  const WallTime now = ReadClocks().wall;
  // A failure closes the connection, and the next checkpoint says what is wrong with the disk.
  if (auto ok = ledger_->Forget(now - std::chrono::floor<microseconds>(retention_.sessions),
                                now - std::chrono::floor<microseconds>(retention_.parts));
      !ok) {
    Log(LogLevel::kWarning, "ledger_erase_failed", {{"error", ok.error()}});
  }
}

// BackUp does one step of a backup when one is under way or due: no checkpoint waits for more.
void LedgerThread::BackUp(MonoTime now) {
  if (is_backing_up_) {
    const auto done = ledger_->StepBackup();
    if (!done || *done) EndBackup(done, now);
    return;
  }
  if (backup_due_ && now < *backup_due_) return;
  if (auto ok = ledger_->BeginBackup(backups_.directory); !ok) {
    return EndBackup(std::unexpected(ok.error()), now);
  }
  is_backing_up_ = true;
}

void LedgerThread::EndBackup(const std::expected<bool, std::string>& done, MonoTime now) {
  is_backing_up_ = false;
  if (done) {
    backup_due_ = now + backups_.every;
    current_.last_backup = current_.last_commit;
    Publish();
    Log(LogLevel::kInfo, "ledger_backed_up",
        {{"directory", backups_.directory}, {"as_of", FormatRfc3339(current_.last_commit)}});
    return;
  }
  backup_due_ = now + std::min<Duration>(kBackupRetry, backups_.every);
  Log(LogLevel::kError, "ledger_backup_failed", {{"error", done.error()}});
}

bool LedgerThread::SlotsRunShort() const {
  // A checkpoint frees the slots of ended sessions. It is of use early only if sessions were added
  // since the last one.
  const uint32_t used = slots_.used();
  return used > slots_.capacity() / 2 && used > used_after_checkpoint_;
}

bool LedgerThread::Checkpoint(Kind kind) {
  const Now before = ReadClocks();
  TakeNewCaps();
  auto result = kind == Kind::kLast ? ledger_->Finish(slots_, before.wall)
                                    : ledger_->Checkpoint(slots_, before.wall - kLongestTurn);
  const bool good = result.has_value();
  const Now after = ReadClocks();
  used_after_checkpoint_ = slots_.used();
  Note(std::move(result), after.mono - before.mono, after);
  return good;
}

void LedgerThread::Note(std::expected<CheckpointStats, std::string> result, Duration took,
                        Now now) {
  current_.unpersisted_bytes = ledger_->UnpersistedBytes(slots_);
  if (result) {
    if (!current_.healthy) {
      Log(LogLevel::kInfo, "ledger_healed",
          {{"sessions", result->sessions}, {"unpersisted_bytes", current_.unpersisted_bytes}});
    }
    const auto ms = std::chrono::ceil<milliseconds>(took).count();
    const auto bound = std::ranges::lower_bound(kCommitBoundsMs, static_cast<uint64_t>(ms));
    ++current_.commit_buckets[static_cast<size_t>(bound - kCommitBoundsMs.begin())];
    current_.commit_sum_us +=
        static_cast<uint64_t>(std::chrono::ceil<std::chrono::microseconds>(took).count());
    current_.healthy = true;
    current_.last_error.clear();
    current_.last_commit = result->as_of;
    if (caps_ != nullptr) {
      CountGrowth(*result);
      current_.caps = caps_->Judge(now.wall);
    }
    last_failure_log_.reset();
  } else {
    current_.healthy = false;
    ++current_.checkpoints_failed;
    // A cap of a day that is over holds nobody back any longer, whatever the disk does.
    if (caps_ != nullptr) current_.caps = caps_->Judge(now.wall);
    current_.last_error = std::move(result.error());
    LogFailure(current_.last_error, current_.unpersisted_bytes, now.mono);
  }
  current_.billable = ledger_->BillableTotals();
  Publish();
}

// A commit whose fsync failed may be on the disk all the same: then the usage is read anew.
void LedgerThread::CountGrowth(const CheckpointStats& stats) {
  caps_are_stale_ = caps_are_stale_ || stats.growth_is_partial;
  if (caps_are_stale_) {
    caps_are_stale_ = !ReadUsage(*caps_).has_value();
    return;
  }
  for (const AccountUsage& usage : stats.growth) caps_->Add(usage);
}

void LedgerThread::LogFailure(const std::string& error, uint64_t unpersisted, MonoTime now) {
  if (last_failure_log_ && now - *last_failure_log_ < kFailureLogInterval) return;
  last_failure_log_ = now;
  Log(LogLevel::kError, "ledger_write_failed",
      {{"error", error},
       {"unpersisted_bytes", unpersisted},
       {"checkpoints_failed", current_.checkpoints_failed}});
}

void LedgerThread::Publish() {
  auto snapshot = std::make_shared<const LedgerStatus>(current_);
  const std::lock_guard lock(mutex_);
  published_ = std::move(snapshot);
}

}  // namespace turnpike
