// Messages of one flow that are due together, laid one behind the other in memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "common/base/bytes.h"
#include "common/base/random.h"

namespace turnpike::load {

// Burst is a buffer that is filled and sent again and again. What a message leaves unwritten is
// random bytes from the start, so payloads cost nothing to make and do not compress.
class Burst {
 public:
  static constexpr size_t kMaxMessages = 64;  // what one UDP_SEGMENT send may carry
  static constexpr size_t kMaxBytes = 65507;  // the payload of the largest IPv4 datagram

  struct Item {
    uint32_t message_size = 0;
    uint32_t payload_size = 0;
    uint32_t sequence = 0;
    int64_t intended_ns = 0;
  };

  explicit Burst(RandomSource& random) : memory_(std::make_unique<uint8_t[]>(kMaxBytes)) {
    random.Fill({memory_.get(), kMaxBytes});
  }

  bool Fits(size_t message_size) const {
    return count_ < kMaxMessages && used_ + message_size <= kMaxBytes;
  }

  // Add takes a message of Fits() bytes in and returns where to write it.
  std::span<uint8_t> Add(const Item& item) {
    items_[count_++] = item;
    uint8_t* const begin = memory_.get() + used_;
    used_ += item.message_size;
    return {begin, item.message_size};
  }

  void Clear() { used_ = count_ = 0; }

  bool empty() const { return count_ == 0; }
  size_t count() const { return count_; }
  std::span<const Item> items() const { return std::span(items_).first(count_); }
  ByteSpan bytes() const { return {memory_.get(), used_}; }

 private:
  std::unique_ptr<uint8_t[]> memory_;
  size_t used_ = 0;
  size_t count_ = 0;
  std::array<Item, kMaxMessages> items_;
};

}  // namespace turnpike::load
