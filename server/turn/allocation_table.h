// Finds allocations: by 5-tuple for what clients send, by RelayId for what peers send.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/siphash.h"
#include "server/turn/allocation.h"

namespace turnpike {

// AllocationTable owns the allocations of one worker: records in a slab that never moves them, and
// an open-addressing index from 5-tuples to records. Strangers choose 5-tuples, so the index is
// hashed under a secret key.
class AllocationTable {
 public:
  explicit AllocationTable(SipKey key);
  AllocationTable(const AllocationTable&) = delete;
  AllocationTable& operator=(const AllocationTable&) = delete;

  // Find returns the allocation that `tuple` identifies, or nullptr.
  Allocation* Find(const FiveTuple& tuple) {
    // Packets of one client often come in a row.
    if (last_found_ != nullptr && last_found_->five_tuple == tuple) return last_found_;
    const uint32_t hash = HashOf(tuple);
    for (size_t i = hash & mask_;; i = (i + 1) & mask_) {
      const Cell& cell = cells_[i];
      if (cell.record == kEmpty) return nullptr;
      if (cell.hash != hash) continue;
      Allocation& candidate = Record(cell.record);
      if (candidate.five_tuple == tuple) return last_found_ = &candidate;
      // One that is moving has two.
      const FiveTuple* const next = candidate.next_tuple();
      if (next != nullptr && *next == tuple) return &candidate;
    }
  }

  // Get returns the allocation that `relay` names, also one that has ended, or nullptr when its
  // record has been freed since.
  Allocation* Get(RelayId relay) {
    const auto index = static_cast<uint32_t>(relay.value()) >> 1;
    if (index >= used_) return nullptr;
    Allocation& record = Record(index);
    const auto generation = static_cast<uint32_t>(relay.value() >> 32);
    return record.generation == generation && record.state != AllocationState::kFree ? &record
                                                                                     : nullptr;
  }

  // At returns the record at `index`, which one of its RelayIds or Deadlines remembers.
  Allocation& At(uint32_t index) { return Record(index); }

  // used counts the records that ever were: At takes an index below it.
  uint32_t used() const { return used_; }

  // FamilyOf says which leg `relay` names.
  static AddressFamily FamilyOf(RelayId relay) { return LegFamily(relay.value() & 1); }

  // Insert makes a record for `tuple`, which must not be in the table.
  Allocation& Insert(const FiveTuple& tuple);

  // Index makes `allocation` found by `tuple` as well, which must not be in the table and is its
  // next tuple. Unindex takes `tuple`, which is one of its own, out; the record stays until Free.
  // Free gives the record back: its RelayIds lead nowhere from then on.
  void Index(const Allocation& allocation, const FiveTuple& tuple);
  void Unindex(const Allocation& allocation, const FiveTuple& tuple);
  void Free(Allocation& allocation);

  // indexed_count counts the 5-tuples that lead to an allocation; record_count those that use
  // memory.
  size_t indexed_count() const { return indexed_; }
  size_t record_count() const { return used_ - free_.size(); }

  // ForEach visits every record in use; `visit` may end allocations.
  template <typename Visitor>
  void ForEach(Visitor visit) {
    for (uint32_t i = 0; i < used_; ++i) {
      if (Record(i).state != AllocationState::kFree) visit(Record(i));
    }
  }

  // IsConsistent checks index against records, and every record. Its cost grows with the table.
  bool IsConsistent() const;

 private:
  static constexpr uint32_t kEmpty = UINT32_MAX;
  static constexpr uint32_t kChunk = 64;

  struct Cell {
    uint32_t hash = 0;
    uint32_t record = kEmpty;
  };

  uint32_t HashOf(const FiveTuple& tuple) const {
    return static_cast<uint32_t>(HashFiveTuple(key_, tuple));
  }
  Allocation& Record(uint32_t index) { return (*chunks_[index / kChunk])[index % kChunk]; }
  const Allocation& Record(uint32_t index) const {
    return (*chunks_[index / kChunk])[index % kChunk];
  }
  // TuplesOf counts the 5-tuples that must lead to `record`.
  static size_t TuplesOf(const Allocation& record);
  void Place(Cell cell);
  void Grow();

  SipKey key_;
  std::vector<Cell> cells_;  // a power of two; at most 5/8 full
  size_t mask_ = 0;
  size_t indexed_ = 0;
  Allocation* last_found_ = nullptr;  // always one that the index has
  std::vector<std::unique_ptr<std::array<Allocation, kChunk>>> chunks_;
  uint32_t used_ = 0;           // records ever used
  std::vector<uint32_t> free_;  // those of them that are free
};

}  // namespace turnpike
