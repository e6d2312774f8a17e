#include "common/metering/usage.h"

#include <algorithm>

namespace turnpike {
namespace {

constexpr std::array<std::string_view, kDirectionCount> kDirectionNames = {"client_to_peer",
                                                                           "peer_to_client"};
constexpr std::array<std::string_view, kDropReasonCount> kDropReasonNames = {
    "malformed", "no_allocation", "no_channel",  "no_permission", "peer_denied", "would_block",
    "too_large", "unreachable",   "send_failed", "queue_full",    "client_gone", "limit"};
constexpr std::array<std::string_view, kCloseReasonCount> kCloseReasonNames = {
    "expired", "refreshed_to_zero", "drained", "quota", "transport_closed", "crash", "killed"};

constexpr int64_t kBucketMicroseconds = std::chrono::microseconds(kBucketWidth).count();

}  // namespace

std::string_view DirectionName(Direction direction) {
  return kDirectionNames[static_cast<size_t>(direction)];
}

std::string_view DropReasonName(DropReason reason) {
  return kDropReasonNames[static_cast<size_t>(reason)];
}

std::string_view CloseReasonName(CloseReason reason) {
  return kCloseReasonNames[static_cast<size_t>(reason)];
}

BucketIndex BucketOf(WallTime time) {
  const int64_t index = std::max<int64_t>(time.time_since_epoch().count(), 0) / kBucketMicroseconds;
  return BucketIndex(static_cast<uint32_t>(std::min<int64_t>(index, kNoBucket.value() - 1)));
}

WallTime BucketStart(BucketIndex bucket) {
  return WallTime(std::chrono::microseconds(int64_t{bucket.value()} * kBucketMicroseconds));
}

SessionId MakeSessionId(WallTime now, const std::array<uint8_t, 10>& random) {
  const auto since = std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch());
  const auto milliseconds = static_cast<uint64_t>(std::max<int64_t>(since.count(), 0));
  SessionId id;
  for (size_t i = 0; i < 6; ++i) id[i] = static_cast<uint8_t>(milliseconds >> (40 - 8 * i));
  std::copy(random.begin(), random.end(), id.begin() + 6);
  id[6] = static_cast<uint8_t>(0x70 | (id[6] & 0x0F));  // version 7
  id[8] = static_cast<uint8_t>(0x80 | (id[8] & 0x3F));  // variant 10
  return id;
}

std::string FormatSessionId(const SessionId& id) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (size_t i = 0; i < id.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[id[i] >> 4];
    text += kHex[id[i] & 0x0F];
  }
  return text;
}

UsageTotals SessionMeter::Totals() const {
  UsageTotals totals;
  for (size_t d = 0; d < kDirectionCount; ++d) {
    totals.payload_bytes[d] = live_->payload_bytes[d].Get();
    totals.wire_bytes[d] = live_->wire_bytes[d].Get();
    totals.packets[d] = live_->packets[d].Get();
  }
  return totals;
}

void SessionMeter::EnterBucket(BucketIndex bucket) {
  const uint32_t head = live_->ring_head.load(std::memory_order_relaxed);
  const uint32_t tail = live_->ring_tail.load(std::memory_order_acquire);
  // Full: the bytes stay with the last bucket that has a place, and the next packet tries again.
  if (head - tail == BoundaryRing::kCapacity) return;
  BoundaryRing::Entry& entry = ring_->entries[head % BoundaryRing::kCapacity];
  const UsageTotals totals = Totals();
  entry.bucket.store(bucket.value(), std::memory_order_relaxed);
  for (size_t d = 0; d < kDirectionCount; ++d) {
    entry.totals[d].store(totals.payload_bytes[d], std::memory_order_relaxed);
    entry.totals[2 + d].store(totals.wire_bytes[d], std::memory_order_relaxed);
    entry.totals[4 + d].store(totals.packets[d], std::memory_order_relaxed);
  }
  const uint32_t generation = live_->generation.load(std::memory_order_relaxed);
  entry.stamp.store(RingStamp(generation, head), std::memory_order_relaxed);
  // Published before the bytes that follow: a reader who sees those bytes also sees this boundary.
  live_->ring_head.store(head + 1, std::memory_order_release);
  live_->bucket.store(bucket.value(), std::memory_order_relaxed);
}

}  // namespace turnpike
