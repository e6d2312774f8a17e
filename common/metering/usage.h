// What a billable byte is, and the live counters of one session.
//
// A session is an allocation. Billable are the bytes of application payload inside ChannelData,
// Send and Data messages, both directions, counted after the kernel has taken the whole datagram
// (UDP) or the last byte of the message (TCP, TLS). No STUN message, no header, no padding, no
// dropped packet. A data connection of RFC 6062 has no framing: all that follows its ConnectionBind
// is payload and wire bytes alike, counted as the kernel takes it (over TLS, to the client, record
// by record), and each write that the kernel took counts as one packet. Wire bytes are the whole
// messages on the client's leg that carried that payload: framing header and padding included; IP,
// UDP, TCP and TLS overhead not. They are recorded, and billed only where a rate card says `basis:
// wire`.
//
// This header is all that `server/turn` sees of metering.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/counter.h"
#include "common/base/strong.h"
#include "common/base/time.h"
#include "common/net/five_tuple.h"

namespace turnpike {

// Direction is seen from the parties, never from a host: the client sent it, or the client gets it.
enum class Direction : uint8_t { kClientToPeer, kPeerToClient };
inline constexpr int kDirectionCount = 2;

// DirectionName returns `client_to_peer` or `peer_to_client`.
std::string_view DirectionName(Direction direction);

// DropReason says why a datagram was not relayed. Metrics and the ledger use DropReasonName.
enum class DropReason : uint8_t {
  kMalformed,     // neither STUN nor ChannelData, or broken framing
  kNoAllocation,  // application data on a 5-tuple that has no allocation
  kNoChannel,     // ChannelData on a number that is not bound
  kNoPermission,  // the peer is not permitted (RFC 8656 §9)
  kPeerDenied,    // the peer filter forbids the address
  kWouldBlock,    // the kernel's send buffer is full
  kTooLarge,      // the kernel refuses the size (EMSGSIZE), or it does not fit a message
  kUnreachable,   // the network says so (ENETUNREACH, EHOSTUNREACH, ECONNREFUSED, EPERM)
  kSendFailed,    // any other error of a send
  kQueueFull,     // a stream client reads too slowly
  kClientGone,    // the stream to the client closed before the message was written
  kLimit,         // a configured limit on rate or bandwidth
};
inline constexpr int kDropReasonCount = 12;

// DropReasonName returns the lower snake case name without the k: a metric's label.
std::string_view DropReasonName(DropReason reason);

// CloseReason says why a session ended.
enum class CloseReason : uint8_t {
  kExpired,          // its time-to-expiry ran out
  kRefreshedToZero,  // the client released it
  kDrained,          // the server stopped
  kQuota,            // a cap was reached
  kTransportClosed,  // the client's connection closed
  kCrash,            // the server died; found in the slots at the next start
  kKilled,           // an operator ended it
};
inline constexpr int kCloseReasonCount = 7;

// CloseReasonName returns the lower snake case name without the k.
std::string_view CloseReasonName(CloseReason reason);

// BucketIndex counts 15-minute intervals of UTC since 1970. Every civil time zone is offset by a
// multiple of 15 minutes, so buckets answer for any zone's day or month exactly.
using BucketIndex = Strong<uint32_t, struct BucketIndexTag>;
inline constexpr std::chrono::minutes kBucketWidth{15};
// kNoBucket is what a session's live record holds before its first byte.
inline constexpr BucketIndex kNoBucket{UINT32_MAX};

// BucketOf returns the bucket that holds `time`; times before 1970 count as 1970. BucketStart is
// its inverse.
BucketIndex BucketOf(WallTime time);
WallTime BucketStart(BucketIndex bucket);

// UsageTotals are a session's running totals, as plain values. Arrays are indexed by Direction.
struct UsageTotals {
  std::array<uint64_t, kDirectionCount> payload_bytes{};
  std::array<uint64_t, kDirectionCount> wire_bytes{};
  std::array<uint64_t, kDirectionCount> packets{};

  // billable_bytes is what a bill is made of: the payload of both directions.
  uint64_t billable_bytes() const { return payload_bytes[0] + payload_bytes[1]; }

  friend bool operator==(const UsageTotals&, const UsageTotals&) = default;
};

// SessionId is a UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then randomness.
using SessionId = std::array<uint8_t, 16>;

// MakeSessionId builds a UUIDv7 from the time and 10 random bytes. FormatSessionId renders the
// usual 8-4-4-4-12 text.
SessionId MakeSessionId(WallTime now, const std::array<uint8_t, 10>& random);
std::string FormatSessionId(const SessionId& id);

// Limits of what a session's record holds, in bytes. A credential beyond them is refused at
// authentication, so a record never loses a part of a name.
inline constexpr size_t kMaxUsernameBytes = 512;  // RFC 8489 §14.3: at most 508
inline constexpr size_t kMaxAccountBytes = 128;
inline constexpr size_t kMaxLabelBytes = 128;

// CappedUse names whom a reached cap (caps.h) holds back; without a label the whole account.
struct CappedUse {
  std::string account;
  std::optional<std::string> label;

  friend auto operator<=>(const CappedUse&, const CappedUse&) = default;
};

// SessionInfo is what does not change while a session lives.
struct SessionInfo {
  SessionId id{};
  std::string account;   // who pays
  std::string label;     // tells one use from another; may be empty
  std::string username;  // who authenticated
  Transport transport = Transport::kUdp;
  TransportAddress client;   // the client's (server-reflexive) transport address
  TransportAddress relayed;  // the (first) relayed transport address, as advertised
  WallTime started_at{};
};

// BoundaryRing remembers a session's totals at the first byte of each bucket that the ledger has
// not settled yet, so that an outage of the database for hours still splits right. The worker
// pushes at `ring_head`, the ledger thread retires at `ring_tail`; both only grow, and head - tail
// <= kCapacity. The newest entry is never retired: it says in which bucket the bytes go that come
// next.
struct BoundaryRing {
  static constexpr uint32_t kCapacity = 16;

  // Entry is one cache line, so that it reaches the disk whole or not at all. `stamp` holds the
  // slot's generation (high half) and the position in the ring's history (low half): an entry whose
  // stamp does not fit is of another session, left over when power was cut.
  struct alignas(64) Entry {
    std::atomic<uint64_t> bucket{0};
    std::array<std::atomic<uint64_t>, 6> totals{};  // as in LiveUsage: payload, wire, packets
    std::atomic<uint64_t> stamp{0};
  };

  std::array<Entry, kCapacity> entries;
};
static_assert(sizeof(BoundaryRing) == 1024);

// RingStamp is what the entry at `position` of the ring's history carries.
constexpr uint64_t RingStamp(uint32_t generation, uint32_t position) {
  return uint64_t{generation} << 32 | position;
}

// LiveUsage is the part of a slot that the data path writes: the running totals, and what is needed
// to see that a new bucket has begun. One writer (the worker); the ledger thread reads, and writes
// only `ring_tail`. It lies in a mapped file and outlives the process. The first cache line holds
// all that is billed, so that it reaches the disk whole or not at all.
struct alignas(64) LiveUsage {
  std::array<Counter, kDirectionCount> payload_bytes;
  std::array<Counter, kDirectionCount> wire_bytes;
  std::array<Counter, kDirectionCount> packets;
  std::atomic<uint32_t> bucket{kNoBucket.value()};  // of the newest byte
  std::atomic<uint32_t> ring_head{0};
  std::atomic<uint32_t> ring_tail{0};
  std::atomic<uint32_t> generation{0};  // counts the sessions that had this slot
  // Second and third line: datagrams of this session that were not relayed, by DropReason.
  std::array<std::atomic<uint64_t>, kDropReasonCount> dropped_packets{};
  std::array<uint64_t, 4> reserved{};
};
static_assert(sizeof(LiveUsage) == 192);

// SlotId names a slot of the slot file.
using SlotId = Strong<uint32_t, struct SlotIdTag>;

// SessionMeter is a session's handle on its live counters. It does not own them: whoever gave it
// out keeps them until the session is closed. Copying it is cheap; only the owning worker may add.
class SessionMeter {
 public:
  SessionMeter() = default;
  SessionMeter(LiveUsage* live, BoundaryRing* ring, SlotId slot)
      : live_(live), ring_(ring), slot_(slot) {}

  // Add records relayed datagrams, one if nothing else is said: `payload` billable bytes that
  // crossed the client's leg in messages of `wire` bytes, in `bucket`. A bucket that differs from
  // the last one's (later, or earlier after a clock step) first notes the totals so far; when the
  // ledger is so far behind that the ring is full, the bytes stay with the last bucket that has a
  // place: totals are never lost.
  void Add([[maybe_unused]] Direction direction, [[maybe_unused]] uint64_t payload,
           [[maybe_unused]] uint64_t wire, [[maybe_unused]] BucketIndex bucket,
           [[maybe_unused]] uint64_t packets = 1) {
#ifndef TURNPIKE_UNMETERED  // tests/bench alone does without, to see what it costs
    if (live_->bucket.load(std::memory_order_relaxed) != bucket.value()) EnterBucket(bucket);
    const auto d = static_cast<size_t>(direction);
    live_->payload_bytes[d].Add(payload);
    live_->wire_bytes[d].Add(wire);
    live_->packets[d].Add(packets);
#endif
  }

  // AddDrop records datagrams of this session that were not relayed.
  void AddDrop(DropReason reason, uint64_t packets = 1) {
    auto& count = live_->dropped_packets[static_cast<size_t>(reason)];
    count.store(count.load(std::memory_order_relaxed) + packets, std::memory_order_relaxed);
  }

  // Totals reads the counters; any thread may.
  UsageTotals Totals() const;

  bool valid() const { return live_ != nullptr; }
  SlotId slot() const { return slot_; }

 private:
  void EnterBucket(BucketIndex bucket);

  LiveUsage* live_ = nullptr;
  BoundaryRing* ring_ = nullptr;
  SlotId slot_{};
};

}  // namespace turnpike
