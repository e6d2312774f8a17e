// The bytes of the slot file, in the host's byte order. LEDGER.md describes them; slots.h uses
// them.
//
//   header (64 KiB) | segment 0 | segment 1 | ...
//   segment: LiveUsage[1024] | SlotRecord[1024] | NameTail[1024] | BoundaryRing[1024]
//
// No field of one session is trusted because of its neighbour: after a power cut each page of the
// file may be of another moment. A record carries a checksum and its generation, the live counters
// and each ring entry carry the generation, and what does not fit is not used.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "common/metering/usage.h"

namespace turnpike {

inline constexpr std::array<char, 8> kSlotFileMagic = {'T', 'P', 'S', 'L', 'O', 'T', 'S', '\n'};
inline constexpr uint32_t kSlotFormatVersion = 2;
inline constexpr uint32_t kSlotsPerSegment = 1024;

// kMaxBoots bounds how many runs of the server may have sessions that wait for the ledger.
inline constexpr uint32_t kMaxBoots = 32;

// SlotState is the life of a slot. It is the last thing that Acquire writes, so that a slot whose
// process died within Acquire is still free.
enum class SlotState : uint32_t { kFree = 0, kLive = 1, kClosed = 2 };

// BootRecord names the run of the server that slots belong to: a crashed one may have run under
// another node name or region than its successor.
struct BootRecord {
  SessionId boot{};
  uint16_t node_size = 0;
  uint16_t region_size = 0;
  uint16_t edge_size = 0;
  uint16_t checksum = 0;           // of the rest, never 0; 0 in what a release without it wrote
  std::array<char, 1000> names{};  // node, region and edge, one after the other
};
static_assert(sizeof(BootRecord) == 1024);

// SlotFileHeader is the first 64 KiB (a multiple of every usual page size).
struct SlotFileHeader {
  std::array<char, 8> magic{};
  uint32_t format_version = 0;
  uint32_t header_size = 0;
  uint32_t slots_per_segment = 0;
  uint32_t live_size = 0;
  uint32_t record_size = 0;
  uint32_t ring_size = 0;
  std::atomic<uint32_t> segments{0};  // counted when their space is allocated and durable
  uint32_t tail_size = 0;
  std::atomic<int64_t> heartbeat{0};  // wall clock of the newest checkpoint, microseconds
  std::array<uint64_t, 122> reserved2{};
  std::array<BootRecord, kMaxBoots> boots{};
  std::array<char, 65536 - 1024 - 1024 * kMaxBoots> reserved3{};
};
static_assert(sizeof(SlotFileHeader) == 65536);

// StoredAddress is a TransportAddress.
struct StoredAddress {
  std::array<uint8_t, 16> ip{};
  uint16_t port = 0;
  uint8_t family = 0;
  uint8_t reserved = 0;
};
static_assert(sizeof(StoredAddress) == 20);

// A session's names follow one another. The first bytes stand in its record, and what is longer
// goes on in its NameTail: an array of its own, so that names of the usual length touch no page of
// it.
inline constexpr size_t kRecordNameBytes = 128;
inline constexpr size_t kMaxNameBytes = kMaxAccountBytes + kMaxLabelBytes + kMaxUsernameBytes;
using NameTail = std::array<char, kMaxNameBytes - kRecordNameBytes>;

// SlotRecord is what does not change while a session lives, below what does.
struct SlotRecord {
  std::atomic<SlotState> state{SlotState::kFree};
  std::atomic<uint32_t> close_reason{0};
  std::atomic<int64_t> ended_at{0};
  uint64_t checksum = 0;  // SipHash-1-3, key 0, of all that follows and the used part of the tail

  uint32_t generation = 0;  // as in LiveUsage
  uint32_t boot = 0;        // index into SlotFileHeader::boots
  SessionId id{};
  int64_t started_at = 0;
  StoredAddress client;
  StoredAddress relayed;
  uint16_t account_size = 0;
  uint16_t label_size = 0;
  uint16_t username_size = 0;
  uint8_t transport = 0;
  uint8_t reserved = 0;
  std::array<char, kRecordNameBytes> names{};
  std::array<char, 24> reserved2{};
};
static_assert(sizeof(SlotRecord) == 256 && offsetof(SlotRecord, generation) == 24);

inline constexpr size_t kRecordOffset = sizeof(LiveUsage) * kSlotsPerSegment;
inline constexpr size_t kTailOffset = kRecordOffset + sizeof(SlotRecord) * kSlotsPerSegment;
inline constexpr size_t kRingOffset = kTailOffset + sizeof(NameTail) * kSlotsPerSegment;
inline constexpr size_t kSegmentSize = kRingOffset + sizeof(BoundaryRing) * kSlotsPerSegment;
static_assert(kSegmentSize % 65536 == 0);

// SegmentOffset is where segment `index` begins in the file.
constexpr size_t SegmentOffset(size_t index) {
  return sizeof(SlotFileHeader) + index * kSegmentSize;
}

}  // namespace turnpike
