// What became of one flow's packets: one direction of one session, counted at both ends.
#pragma once

#include <array>
#include <cstdint>

namespace turnpike::load {

// FlowCounts are a flow's totals. Bytes are payload.
struct FlowCounts {
  uint64_t sent_packets = 0;  // the sender's kernel took them
  uint64_t sent_bytes = 0;
  uint64_t unsent_packets = 0;    // due, but the sender's kernel or a full stream refused them
  uint64_t received_packets = 0;  // duplicates included
  uint64_t received_bytes = 0;
  uint64_t duplicate_packets = 0;
  uint64_t reordered_packets = 0;  // came after a packet that was sent later

  // lost_packets left and did not arrive.
  uint64_t lost_packets() const;

  FlowCounts& operator+=(const FlowCounts& other);
  friend bool operator==(const FlowCounts&, const FlowCounts&) = default;
};

// FlowAccount counts a flow.
class FlowAccount {
 public:
  void OnSent(uint32_t size) {
    ++counts_.sent_packets;
    counts_.sent_bytes += size;
  }
  void OnUnsent() { ++counts_.unsent_packets; }

  // OnReceived notes a packet with its number; false when it is a duplicate. A packet that is more
  // than kWindow behind the newest one counts as reordered, never as a duplicate.
  bool OnReceived(uint32_t sequence, uint32_t size);

  // OnReceivedUnnumbered notes a packet too small for a number.
  void OnReceivedUnnumbered(uint32_t size) {
    ++counts_.received_packets;
    counts_.received_bytes += size;
  }

  const FlowCounts& counts() const { return counts_; }

  static constexpr uint32_t kWindow = 256;

 private:
  // Mark sets the bit of `sequence` and returns what it was.
  bool Mark(uint32_t sequence);
  void Clear(uint32_t sequence);

  FlowCounts counts_;
  uint32_t next_ = 0;  // one above the highest number received
  std::array<uint64_t, kWindow / 64> seen_{};
};

}  // namespace turnpike::load
