// The mapped file below SlotFile: opening, checking, locking, growing. It knows nothing of
// sessions.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "common/metering/file.h"
#include "common/metering/slot_layout.h"

namespace turnpike {

// SlotMapError says why a file cannot be mapped.
struct SlotMapError {
  std::string text;      // a sentence that names the file
  bool damaged = false;  // no other start could read the file either
};

// SlotMap maps the header and every segment at addresses that never change.
class SlotMap {
 public:
  // Open opens, locks and maps `path`, with room for `max_segments` (or as many as the file has). A
  // new or half-created file is initialised.
  static std::expected<std::unique_ptr<SlotMap>, SlotMapError> Open(const std::string& path,
                                                                    uint32_t max_segments);
  ~SlotMap();
  SlotMap(const SlotMap&) = delete;
  SlotMap& operator=(const SlotMap&) = delete;

  SlotFileHeader& header() const { return *reinterpret_cast<SlotFileHeader*>(base_); }
  uint32_t segments() const { return header().segments.load(std::memory_order_acquire); }
  uint32_t max_segments() const { return max_segments_; }

  LiveUsage& live(uint32_t slot) const { return *At<LiveUsage>(slot, 0); }
  SlotRecord& record(uint32_t slot) const { return *At<SlotRecord>(slot, kRecordOffset); }
  NameTail& tail(uint32_t slot) const { return *At<NameTail>(slot, kTailOffset); }
  BoundaryRing& ring(uint32_t slot) const { return *At<BoundaryRing>(slot, kRingOffset); }

  // Grow allocates and maps one more segment. It fails with errno's value, and then the file is as
  // before. One thread at a time.
  std::expected<void, int> Grow();

  // SyncHeader makes the header durable. It fails with errno's value.
  std::expected<void, int> SyncHeader();

 private:
  SlotMap() = default;

  template <typename T>
  T* At(uint32_t slot, size_t array) const {
    const size_t offset = SegmentOffset(slot / kSlotsPerSegment) + array;
    return reinterpret_cast<T*>(base_ + offset) + slot % kSlotsPerSegment;
  }

  std::expected<void, SlotMapError> Initialise(const std::string& path);
  std::expected<void, SlotMapError> Check(const std::string& path, size_t file_size) const;
  std::expected<void, int> MapRange(size_t offset, size_t size);

  FileDescriptor file_;
  std::byte* base_ = nullptr;
  size_t reserved_ = 0;
  uint32_t max_segments_ = 0;
};

}  // namespace turnpike
