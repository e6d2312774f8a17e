#include "common/metering/slots.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/metering/set_aside.h"
#include "common/metering/slot_boot.h"
#include "common/metering/slot_map.h"
#include "common/metering/slot_record.h"

namespace turnpike {
namespace {

// The free list is refilled ahead of need when fewer than this many slots are left.
constexpr size_t kFewFreeSlots = kSlotsPerSegment;

void ClearUsage(LiveUsage& live, uint32_t generation) {
  for (size_t d = 0; d < kDirectionCount; ++d) {
    live.payload_bytes[d].Set(0);
    live.wire_bytes[d].Set(0);
    live.packets[d].Set(0);
  }
  for (auto& count : live.dropped_packets) count.store(0, std::memory_order_relaxed);
  live.bucket.store(kNoBucket.value(), std::memory_order_relaxed);
  live.ring_head.store(0, std::memory_order_relaxed);
  live.ring_tail.store(0, std::memory_order_relaxed);
  live.generation.store(generation, std::memory_order_relaxed);
}

UsageTotals ReadTotals(const LiveUsage& live) {
  UsageTotals totals;
  for (size_t d = 0; d < kDirectionCount; ++d) {
    totals.payload_bytes[d] = live.payload_bytes[d].Get();
    totals.wire_bytes[d] = live.wire_bytes[d].Get();
    totals.packets[d] = live.packets[d].Get();
  }
  return totals;
}

std::vector<SlotSnapshot::Boundary> ReadBoundaries(const LiveUsage& live, const BoundaryRing& ring,
                                                   uint32_t head) {
  std::vector<SlotSnapshot::Boundary> boundaries;
  const uint32_t generation = live.generation.load(std::memory_order_relaxed);
  uint32_t position = live.ring_tail.load(std::memory_order_relaxed);
  // More than the ring holds is only seen after a power cut; the stamps sort it out.
  if (head - position > BoundaryRing::kCapacity) position = head - BoundaryRing::kCapacity;
  for (; position != head; ++position) {
    const BoundaryRing::Entry& entry = ring.entries[position % BoundaryRing::kCapacity];
    if (entry.stamp.load(std::memory_order_relaxed) != RingStamp(generation, position)) continue;
    SlotSnapshot::Boundary boundary;
    boundary.bucket =
        BucketIndex(static_cast<uint32_t>(entry.bucket.load(std::memory_order_relaxed)));
    for (size_t d = 0; d < kDirectionCount; ++d) {
      boundary.totals.payload_bytes[d] = entry.totals[d].load(std::memory_order_relaxed);
      boundary.totals.wire_bytes[d] = entry.totals[2 + d].load(std::memory_order_relaxed);
      boundary.totals.packets[d] = entry.totals[4 + d].load(std::memory_order_relaxed);
    }
    boundaries.push_back(boundary);
  }
  return boundaries;
}

// Contradicts says whether counters cannot have come from Add: framing is a few dozen bytes for
// each message, and a process may have died within one. It finds flipped high bits, which would be
// sold as gigabytes.
bool Contradicts(const UsageTotals& totals) {
  constexpr uint64_t kMessage = 65'600;  // the largest, and then some
  constexpr uint64_t kFraming = 128;
  constexpr uint64_t kMost = uint64_t{1} << 62;
  for (size_t d = 0; d < kDirectionCount; ++d) {
    const uint64_t payload = totals.payload_bytes[d];
    const uint64_t wire = totals.wire_bytes[d];
    const uint64_t packets = totals.packets[d];
    if (payload > kMost || wire > kMost || packets > kMost / kMessage) return true;
    if (payload > wire + kMessage || wire > payload + packets * kFraming + kMessage) return true;
    if (payload > (packets + 1) * kMessage) return true;
  }
  return false;
}

}  // namespace

struct SlotFile::State {
  std::unique_ptr<SlotMap> map;
  LedgerIdentity identity;
  uint32_t boot = 0;
  uint32_t max_slots = 0;
  std::atomic<uint32_t> used{0};

  std::mutex grow_mutex;  // one thread extends the file; taken before free_mutex
  std::mutex free_mutex;  // guards `free`
  std::vector<uint32_t> free;

  // AddSegment grows the file and lists the new slots.
  bool AddSegment();
  void AddFree(uint32_t slot);
  size_t FreeCount();
};

SlotFile::SlotFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
SlotFile::~SlotFile() = default;

std::expected<std::unique_ptr<SlotFile>, std::string> SlotFile::Open(
    const std::string& path, uint32_t max_slots, const LedgerIdentity& identity) {
  TP_CHECK(max_slots > 0);
  if (identity.node.size() + identity.region.size() + identity.edge.size() >
      sizeof(BootRecord::names)) {
    return std::unexpected("the names of node, region and edge are together longer than " +
                           std::to_string(sizeof(BootRecord::names)) + " bytes");
  }
  const uint32_t segments = (max_slots - 1) / kSlotsPerSegment + 1;
  auto map = SlotMap::Open(path, segments);
  if (!map && map.error().damaged) {
    auto aside = SetAside(path, map.error().text, "slots_set_aside",
                          "sessions that it held are closed with what usage.db has of them");
    if (!aside) return std::unexpected(aside.error());
    map = SlotMap::Open(path, segments);
  }
  if (!map) return std::unexpected(map.error().text);
  std::unique_ptr<SlotFile> file(new SlotFile(std::make_unique<State>()));
  State& state = *file->state_;
  state.map = std::move(*map);
  state.identity = identity;
  state.max_slots = max_slots;
  file->AdoptUsedSlots();
  if (auto ok = file->ChooseBoot(path); !ok) return std::unexpected(ok.error());
  if (state.map->segments() == 0 && !state.AddSegment()) {
    return std::unexpected("cannot allocate " + std::to_string(kSegmentSize) + " bytes for " +
                           path + ": make room on the disk");
  }
  return file;
}

void SlotFile::AdoptUsedSlots() {
  SlotMap& map = *state_->map;
  const uint32_t slots = map.segments() * kSlotsPerSegment;
  // Downwards, so that the lowest slots are handed out first.
  for (uint32_t slot = slots; slot-- > 0;) {
    SlotRecord& record = map.record(slot);
    const SlotState state = record.state.load(std::memory_order_acquire);
    if (state == SlotState::kFree) {
      state_->AddFree(slot);
    } else if ((state != SlotState::kLive && state != SlotState::kClosed) ||
               !IsSound(record, map.tail(slot)) || record.boot >= kMaxBoots ||
               !IsSound(map.header().boots[record.boot])) {
      // Only a power cut or a bad disk leaves this; what the ledger has of the session stands.
      Log(LogLevel::kWarning, "slot_record_damaged", {{"slot", slot}});
      record.state.store(SlotState::kFree, std::memory_order_release);
      state_->AddFree(slot);
    } else {
      state_->used.fetch_add(1, std::memory_order_relaxed);
      LiveUsage& live = map.live(slot);
      if (live.generation.load(std::memory_order_relaxed) != record.generation) continue;
      if (!Contradicts(ReadTotals(live))) continue;
      Log(LogLevel::kWarning, "slot_counters_damaged", {{"slot", slot}});
      live.generation.store(record.generation + 1, std::memory_order_relaxed);  // not used
    }
  }
  const int64_t heartbeat = map.header().heartbeat.load(std::memory_order_relaxed);
  CloseAllLive(CloseReason::kCrash, WallTime(std::chrono::microseconds(heartbeat)));
}

std::expected<void, std::string> SlotFile::ChooseBoot(const std::string& path) {
  SlotMap& map = *state_->map;
  std::array<bool, kMaxBoots> taken{};
  for (const SlotId slot : UsedSlots()) taken[map.record(slot.value()).boot] = true;
  const auto place = std::ranges::find(taken, false);
  if (place == taken.end()) {
    return std::unexpected(path + " holds sessions of " + std::to_string(kMaxBoots) +
                           " earlier runs that usage.db could not take: repair usage.db first");
  }
  state_->boot = static_cast<uint32_t>(place - taken.begin());
  WriteBoot(map.header().boots[state_->boot], state_->identity);
  // Durable before the first slot refers to it.
  if (auto ok = map.SyncHeader(); !ok) {
    return std::unexpected("cannot write " + path + ": " + std::strerror(ok.error()));
  }
  return {};
}

bool SlotFile::State::AddSegment() {
  const uint32_t first = map->segments() * kSlotsPerSegment;
  if (!map->Grow()) return false;
  for (uint32_t slot = first + kSlotsPerSegment; slot-- > first;) AddFree(slot);
  return true;
}

void SlotFile::State::AddFree(uint32_t slot) {
  // Slots beyond a limit that was lowered between two runs are emptied, but not used again.
  if (slot >= max_slots) return;
  const std::lock_guard lock(free_mutex);
  free.push_back(slot);
}

size_t SlotFile::State::FreeCount() {
  const std::lock_guard lock(free_mutex);
  return free.size();
}

std::expected<uint32_t, SlotError> SlotFile::TakeFree() {
  const auto take = [this]() -> std::optional<uint32_t> {
    const std::lock_guard lock(state_->free_mutex);
    if (state_->free.empty()) return std::nullopt;
    const uint32_t slot = state_->free.back();
    state_->free.pop_back();
    return slot;
  };
  if (const auto slot = take()) return *slot;
  const std::lock_guard lock(state_->grow_mutex);
  if (const auto slot = take()) return *slot;
  if (state_->map->segments() * kSlotsPerSegment >= state_->max_slots) {
    return std::unexpected(SlotError::kExhausted);
  }
  if (!state_->AddSegment()) return std::unexpected(SlotError::kDiskFull);
  if (const auto slot = take()) return *slot;
  return std::unexpected(SlotError::kExhausted);
}

void SlotFile::GrowAhead() {
  const std::lock_guard lock(state_->grow_mutex);
  if (state_->FreeCount() >= kFewFreeSlots) return;
  if (state_->map->segments() * kSlotsPerSegment < state_->max_slots) state_->AddSegment();
}

std::expected<SessionMeter, SlotError> SlotFile::Acquire(const SessionInfo& info) {
  const auto slot = TakeFree();
  if (!slot) return std::unexpected(slot.error());
  SlotMap& map = *state_->map;
  LiveUsage& live = map.live(*slot);
  SlotRecord& record = map.record(*slot);
  TP_CHECK(record.state.load(std::memory_order_relaxed) == SlotState::kFree);
  // Both generations are looked at: after a power cut either may be the older one.
  const uint32_t generation =
      std::max(live.generation.load(std::memory_order_relaxed), record.generation) + 1;
  ClearUsage(live, generation);
  WriteRecord(record, map.tail(*slot), info, generation, state_->boot);
  record.state.store(SlotState::kLive, std::memory_order_release);
  state_->used.fetch_add(1, std::memory_order_relaxed);
  return SessionMeter(&live, &map.ring(*slot), SlotId(*slot));
}

void SlotFile::Close(SlotId slot, CloseReason reason, WallTime ended_at) {
  SlotRecord& record = state_->map->record(slot.value());
  TP_CHECK(record.state.load(std::memory_order_relaxed) == SlotState::kLive);
  record.close_reason.store(static_cast<uint32_t>(reason), std::memory_order_relaxed);
  const int64_t ended = ended_at.time_since_epoch().count();
  record.ended_at.store(std::max(ended, record.started_at), std::memory_order_relaxed);
  record.state.store(SlotState::kClosed, std::memory_order_release);
}

void SlotFile::CloseAllLive(CloseReason reason, WallTime ended_at) {
  for (const SlotId slot : UsedSlots()) {
    const SlotRecord& record = state_->map->record(slot.value());
    if (record.state.load(std::memory_order_acquire) != SlotState::kLive) continue;
    Close(slot, reason, ended_at);
  }
}

std::vector<SlotId> SlotFile::UsedSlots() const {
  std::vector<SlotId> slots;
  slots.reserve(used());
  const uint32_t end = state_->map->segments() * kSlotsPerSegment;
  for (uint32_t slot = 0; slot < end; ++slot) {
    const SlotState state = state_->map->record(slot).state.load(std::memory_order_acquire);
    if (state != SlotState::kFree) slots.push_back(SlotId(slot));
  }
  return slots;
}

void SlotFile::Free(SlotId slot) {
  SlotRecord& record = state_->map->record(slot.value());
  TP_CHECK(record.state.load(std::memory_order_relaxed) == SlotState::kClosed);
  record.state.store(SlotState::kFree, std::memory_order_release);
  state_->used.fetch_sub(1, std::memory_order_relaxed);
  state_->AddFree(slot.value());
}

void SlotFile::Heartbeat(WallTime now) {
  state_->map->header().heartbeat.store(now.time_since_epoch().count(), std::memory_order_relaxed);
}

LedgerIdentity SlotFile::ReadIdentity(SlotId slot) const {
  return ReadBoot(state_->map->header().boots[state_->map->record(slot.value()).boot]);
}

SlotSnapshot SlotFile::Read(SlotId slot) const {
  const SlotMap& map = *state_->map;
  const LiveUsage& live = map.live(slot.value());
  const SlotRecord& record = map.record(slot.value());
  SlotSnapshot snapshot;
  snapshot.slot = slot;
  snapshot.id = record.id;
  // The state comes first: counters that are read after `closed` was seen are final.
  snapshot.closed = record.state.load(std::memory_order_acquire) == SlotState::kClosed;
  if (snapshot.closed) {
    const uint32_t reason = record.close_reason.load(std::memory_order_relaxed);
    snapshot.close_reason =
        reason < kCloseReasonCount ? static_cast<CloseReason>(reason) : CloseReason::kCrash;
    snapshot.ended_at =
        WallTime(std::chrono::microseconds(record.ended_at.load(std::memory_order_relaxed)));
  }
  // Counters of another generation were left over by a power cut: this session's are lost, and the
  // other session's are in the ledger already.
  if (live.generation.load(std::memory_order_relaxed) != record.generation) return snapshot;
  // Read again while a bucket begins: its bytes must not be seen without its boundary.
  do {
    snapshot.ring_head = live.ring_head.load(std::memory_order_acquire);
    snapshot.totals = ReadTotals(live);
  } while (live.ring_head.load(std::memory_order_acquire) != snapshot.ring_head);
  for (size_t i = 0; i < kDropReasonCount; ++i) {
    snapshot.dropped_packets[i] = live.dropped_packets[i].load(std::memory_order_relaxed);
  }
  snapshot.bucket = BucketIndex(live.bucket.load(std::memory_order_relaxed));
  snapshot.boundaries = ReadBoundaries(live, map.ring(slot.value()), snapshot.ring_head);
  return snapshot;
}

void SlotFile::Settle(const SlotSnapshot& snapshot) {
  LiveUsage& live = state_->map->live(snapshot.slot.value());
  const uint32_t tail = live.ring_tail.load(std::memory_order_relaxed);
  // The newest boundary stays: it says to which bucket the next bytes belong.
  if (snapshot.ring_head - tail <= 1) return;
  live.ring_tail.store(snapshot.ring_head - 1, std::memory_order_release);
}

SessionInfo SlotFile::ReadInfo(SlotId slot) const {
  return ReadRecord(state_->map->record(slot.value()), state_->map->tail(slot.value()));
}

const LedgerIdentity& SlotFile::identity() const { return state_->identity; }
uint32_t SlotFile::used() const { return state_->used.load(std::memory_order_relaxed); }
uint32_t SlotFile::capacity() const { return state_->max_slots; }

}  // namespace turnpike
