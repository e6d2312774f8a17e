#include "tools/load/flow_account.h"

namespace turnpike::load {

uint64_t FlowCounts::lost_packets() const {
  const uint64_t arrived = received_packets - duplicate_packets;
  return sent_packets > arrived ? sent_packets - arrived : 0;
}

FlowCounts& FlowCounts::operator+=(const FlowCounts& other) {
  sent_packets += other.sent_packets;
  sent_bytes += other.sent_bytes;
  unsent_packets += other.unsent_packets;
  received_packets += other.received_packets;
  received_bytes += other.received_bytes;
  duplicate_packets += other.duplicate_packets;
  reordered_packets += other.reordered_packets;
  return *this;
}

bool FlowAccount::Mark(uint32_t sequence) {
  uint64_t& word = seen_[sequence % kWindow / 64];
  const uint64_t bit = uint64_t{1} << (sequence % 64);
  const bool before = (word & bit) != 0;
  word |= bit;
  return before;
}

void FlowAccount::Clear(uint32_t sequence) {
  seen_[sequence % kWindow / 64] &= ~(uint64_t{1} << (sequence % 64));
}

bool FlowAccount::OnReceived(uint32_t sequence, uint32_t size) {
  OnReceivedUnnumbered(size);
  if (sequence >= next_) {
    // What lies between has not arrived yet; its places hold marks of a window ago.
    const uint32_t first = sequence - next_ >= kWindow ? sequence - kWindow + 1 : next_;
    for (uint32_t skipped = first; skipped <= sequence; ++skipped) Clear(skipped);
    next_ = sequence + 1;
    Mark(sequence);
    return true;
  }
  if (next_ - sequence <= kWindow && Mark(sequence)) {
    ++counts_.duplicate_packets;
    return false;
  }
  ++counts_.reordered_packets;
  return true;
}

}  // namespace turnpike::load
