#include "server/turn/allocation_table.h"

#include "common/base/check.h"

namespace turnpike {

AllocationTable::AllocationTable(SipKey key) : key_(key), cells_(16), mask_(15) {}

Allocation& AllocationTable::Insert(const FiveTuple& tuple) {
  TP_DCHECK(Find(tuple) == nullptr);
  uint32_t index = 0;
  if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
  } else {
    index = used_++;
    if (index / kChunk == chunks_.size()) {
      chunks_.push_back(std::make_unique<std::array<Allocation, kChunk>>());
    }
    Record(index).index = index;
  }
  Allocation& record = Record(index);
  ++record.generation;
  record.five_tuple = tuple;
  record.state = AllocationState::kOpening;
  Index(record, tuple);
  return record;
}

void AllocationTable::Index(const Allocation& allocation, const FiveTuple& tuple) {
  if ((indexed_ + 1) * 8 > cells_.size() * 5) Grow();
  Place({.hash = HashOf(tuple), .record = allocation.index});
  ++indexed_;
}

void AllocationTable::Unindex(const Allocation& allocation, const FiveTuple& tuple) {
  last_found_ = nullptr;
  const uint32_t hash = HashOf(tuple);
  size_t hole = hash & mask_;
  while (cells_[hole].record != allocation.index || cells_[hole].hash != hash) {
    TP_CHECK(cells_[hole].record != kEmpty);
    hole = (hole + 1) & mask_;
  }
  // Move later cells of the run into the hole, so that no search stops early and no tombstone
  // stays.
  for (size_t i = (hole + 1) & mask_; cells_[i].record != kEmpty; i = (i + 1) & mask_) {
    const size_t home = cells_[i].hash & mask_;
    if (((i - home) & mask_) >= ((i - hole) & mask_)) {
      cells_[hole] = cells_[i];
      hole = i;
    }
  }
  cells_[hole] = Cell{};
  --indexed_;
}

void AllocationTable::Free(Allocation& allocation) {
  const uint32_t index = allocation.index;
  const uint32_t generation = allocation.generation;
  allocation = Allocation{};
  allocation.index = index;
  allocation.generation = generation;
  free_.push_back(index);
}

void AllocationTable::Place(Cell cell) {
  size_t i = cell.hash & mask_;
  while (cells_[i].record != kEmpty) i = (i + 1) & mask_;
  cells_[i] = cell;
}

void AllocationTable::Grow() {
  std::vector<Cell> old(cells_.size() * 2);
  old.swap(cells_);
  mask_ = cells_.size() - 1;
  for (const Cell& cell : old) {
    if (cell.record != kEmpty) Place(cell);
  }
}

size_t AllocationTable::TuplesOf(const Allocation& record) {
  const bool has_tuple = record.state == AllocationState::kOpening ||
                         (record.state == AllocationState::kLive && !record.detached());
  return (has_tuple ? 1 : 0) + (record.next_tuple() != nullptr ? 1 : 0);
}

bool AllocationTable::IsConsistent() const {
  size_t full = 0;
  for (const Cell& cell : cells_) {
    if (cell.record == kEmpty) continue;
    ++full;
    if (cell.record >= used_) return false;
    const Allocation& record = Record(cell.record);
    if (record.state != AllocationState::kOpening && record.state != AllocationState::kLive) {
      return false;
    }
    const FiveTuple* next = record.next_tuple();
    if (HashOf(record.five_tuple) != cell.hash && (next == nullptr || HashOf(*next) != cell.hash)) {
      return false;
    }
  }
  size_t with_tuple = 0;
  size_t unused = 0;
  for (uint32_t i = 0; i < used_; ++i) {
    const Allocation& record = Record(i);
    if (record.index != i || !record.IsConsistent()) return false;
    auto& self = const_cast<AllocationTable&>(*this);
    const FiveTuple* next = record.next_tuple();
    const size_t tuples = TuplesOf(record);
    if (next != nullptr && self.Find(*next) != &record) return false;
    if (tuples > (next != nullptr ? 1u : 0u) && self.Find(record.five_tuple) != &record) {
      return false;
    }
    with_tuple += tuples;
    unused += record.state == AllocationState::kFree ? 1 : 0;
  }
  return full == indexed_ && with_tuple == indexed_ && unused == free_.size();
}

}  // namespace turnpike
