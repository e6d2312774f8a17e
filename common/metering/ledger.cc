#include "common/metering/ledger.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/metering/backup.h"
#include "common/metering/file.h"
#include "common/metering/ledger_retention.h"
#include "common/metering/ledger_schema.h"
#include "common/metering/ledger_writer.h"
#include "common/metering/set_aside.h"

namespace turnpike {

struct Ledger::State {
  // Committed is what the last commit holds of the session in a slot. Unlike the writer's knowledge
  // it survives a failure: it only feeds UnpersistedBytes.
  struct Committed {
    SessionId id{};
    uint64_t billable_bytes = 0;
  };

  FileDescriptor lock;
  std::string path;
  LedgerIdentity identity;
  LedgerOptions options;
  std::unique_ptr<LedgerWriter> writer;  // null after a failure, until the next call
  std::unique_ptr<LedgerBackup> backup;  // of the writer's connection
  bool orphans_ended = false;
  bool commit_in_doubt = false;  // one failed since the last that did not; it may be on the disk
  std::vector<BillableTotal> billable;
  std::vector<Committed> committed;  // by slot

  void Step(std::string_view step) const {
    if (options.on_step) options.on_step(step);
  }
  std::expected<void, std::string> OpenWriter();
  void Remember(const SlotSnapshot& snapshot);
  void DropWriter() {
    backup.reset();
    writer.reset();
  }
};

Ledger::Ledger(std::unique_ptr<State> state) : state_(std::move(state)) {}
Ledger::~Ledger() = default;

std::expected<void, std::string> Ledger::State::OpenWriter() {
  if (writer != nullptr) return {};
  auto opened = LedgerWriter::Open(path, options.vfs);
  if (!opened) return std::unexpected(opened.error());
  writer = std::move(*opened);
  billable = writer->Totals();
  return {};
}

void Ledger::State::Remember(const SlotSnapshot& snapshot) {
  const size_t slot = snapshot.slot.value();
  if (slot >= committed.size()) committed.resize(slot + 1);
  committed[slot] = {snapshot.id, snapshot.totals.billable_bytes()};
}

std::expected<std::unique_ptr<Ledger>, std::string> Ledger::Open(const std::string& directory,
                                                                 LedgerIdentity identity,
                                                                 LedgerOptions options) {
  auto lock = OpenLocked(directory + "/usage.lock");
  if (!lock) return std::unexpected(lock.error());
  auto state = std::make_unique<State>();
  state->lock = std::move(*lock);
  state->path = LedgerPath(directory);
  state->identity = std::move(identity);
  state->options = std::move(options);
  if (auto ok = state->OpenWriter(); !ok) {
    if (!SaysDamaged(ok.error())) return std::unexpected(ok.error());
    if (auto aside = SetAside(state->path, ok.error(), "ledger_set_aside",
                              "salvage it and merge the two; the runbook says how");
        !aside) {
      return std::unexpected(aside.error());
    }
    if (auto fresh = state->OpenWriter(); !fresh) return std::unexpected(fresh.error());
  }
  return std::unique_ptr<Ledger>(new Ledger(std::move(state)));
}

std::expected<CheckpointStats, std::string> Ledger::Checkpoint(SlotFile& slots, WallTime as_of) {
  return Write(slots, as_of, false);
}

std::expected<CheckpointStats, std::string> Ledger::Finish(SlotFile& slots, WallTime as_of) {
  return Write(slots, as_of, true);
}

std::expected<CheckpointStats, std::string> Ledger::Write(SlotFile& slots, WallTime as_of,
                                                          bool closing) {
  State& state = *state_;
  TP_CHECK(slots.identity() == state.identity);
  slots.Heartbeat(as_of);
  slots.GrowAhead();
  if (auto ok = state.OpenWriter(); !ok) return std::unexpected(ok.error());
  LedgerWriter& writer = *state.writer;

  std::vector<SlotSnapshot> news;
  bool all_closed = true;
  for (const SlotId slot : slots.UsedSlots()) {
    SlotSnapshot snapshot = slots.Read(slot);
    all_closed = all_closed && snapshot.closed;
    if (snapshot.closed || !writer.HasAll(snapshot)) news.push_back(std::move(snapshot));
  }
  state.Step("begin");
  writer.Begin();
  // The first time nothing is known to be stored, so that `news` has every used slot.
  if (!state.orphans_ended) writer.EndOrphans(slots, news);
  state.Step("store");
  for (const SlotSnapshot& snapshot : news) writer.Store(slots, snapshot);
  state.Step("commit");
  if (!writer.Commit(as_of, closing && all_closed)) {
    std::string error = "cannot write " + writer.error();
    state.DropWriter();
    state.commit_in_doubt = true;
    return std::unexpected(std::move(error));
  }
  state.orphans_ended = true;
  state.billable = writer.Totals();

  CheckpointStats stats;
  stats.as_of = as_of;
  stats.sessions = news.size();
  stats.growth = writer.TakeGrowth();
  stats.growth_is_partial = std::exchange(state.commit_in_doubt, false);
  state.Step("settle");
  for (const SlotSnapshot& snapshot : news) {
    slots.Settle(snapshot);
    state.Remember(snapshot);
  }
  state.Step("free");
  for (const SlotSnapshot& snapshot : news) {
    if (!snapshot.closed) continue;
    slots.Free(snapshot.slot);
    ++stats.freed_slots;
  }
  if (!writer.MaintainWal(closing)) {
    // What was committed stays; the WAL just grows until this heals.
    Log(LogLevel::kWarning, "ledger_wal_not_copied", {{"error", writer.error()}});
    state.DropWriter();
  } else if (closing) {
    state.DropWriter();
  }
  state.Step("done");
  return stats;
}

std::expected<void, std::string> Ledger::UsageSince(
    WallTime from, const std::function<void(const AccountUsage&)>& visit) {
  if (auto ok = state_->OpenWriter(); !ok) return std::unexpected(ok.error());
  state_->writer->UsageSince(BucketOf(from), visit);
  if (state_->writer->ok()) return {};
  std::string error = "cannot read " + state_->writer->error();
  state_->DropWriter();
  return std::unexpected(std::move(error));
}

std::expected<void, std::string> Ledger::Forget(WallTime erase_before, WallTime prune_before) {
  constexpr int64_t kAtOnce = 500;
  State& state = *state_;
  if (auto ok = state.OpenWriter(); !ok) return std::unexpected(ok.error());
  EraseSessions(state.writer->database(), erase_before, kAtOnce);
  PruneSessions(state.writer->database(), prune_before, kAtOnce);
  if (state.writer->ok()) return {};
  std::string error = "cannot write " + state.writer->error();
  state.DropWriter();
  return std::unexpected(std::move(error));
}

std::expected<void, std::string> Ledger::BeginBackup(const std::string& directory) {
  State& state = *state_;
  state.backup.reset();
  if (auto ok = CheckBackupDirectory(directory); !ok) return ok;
  const auto books =
      BackUpBooks(std::filesystem::path(state.path).parent_path().string(), directory);
  if (!books) return std::unexpected(books.error());
  if (auto ok = state.OpenWriter(); !ok) return std::unexpected(ok.error());
  auto backup = LedgerBackup::Begin(state.writer->database(), LedgerPath(directory));
  if (!backup) return std::unexpected(backup.error());
  state.backup = std::move(*backup);
  return {};
}

std::expected<bool, std::string> Ledger::StepBackup() {
  constexpr int kPages = 64;  // 256 KiB
  State& state = *state_;
  if (state.backup == nullptr) return std::unexpected("a failed checkpoint ended the backup");
  auto done = state.backup->Step(kPages);
  if (!done || *done) state.backup.reset();
  return done;
}

const std::vector<BillableTotal>& Ledger::BillableTotals() const { return state_->billable; }

uint64_t Ledger::UnpersistedBytes(const SlotFile& slots) const {
  uint64_t bytes = 0;
  for (const SlotId slot : slots.UsedSlots()) {
    const SlotSnapshot snapshot = slots.Read(slot);
    const uint64_t total = snapshot.totals.billable_bytes();
    const auto& committed = state_->committed;
    const bool known = slot.value() < committed.size() && committed[slot.value()].id == snapshot.id;
    const uint64_t stored = known ? committed[slot.value()].billable_bytes : 0;
    bytes += total - std::min(total, stored);
  }
  return bytes;
}

}  // namespace turnpike
