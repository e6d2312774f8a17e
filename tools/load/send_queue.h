// Messages that are due together, of many flows, laid one behind the other in memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/random.h"
#include "common/metering/usage.h"

namespace turnpike::load {

class Session;

// Item is one message that waits.
struct Item {
  // What an echo is intended for: nothing, it leaves when it can.
  static constexpr int64_t kAtOnce = INT64_MIN;

  uint32_t message_size = 0;  // with its head and padding
  uint32_t payload_size = 0;
  int64_t intended_ns = kAtOnce;  // of the monotonic clock
};

// SendQueue is a buffer that is filled and emptied again and again. What a message leaves unwritten
// is random bytes from the start, so payloads cost nothing to make and do not compress.
class SendQueue {
 public:
  static constexpr size_t kMaxMessages = 512;
  static constexpr size_t kMaxBytes = size_t{256} << 10;

  // Part is messages of one flow, one behind the other.
  struct Part {
    Session* session = nullptr;  // not owned; outlives what it has put here
    Direction direction = Direction::kClientToPeer;
    std::span<const Item> items;
    ByteSpan bytes;
  };

  explicit SendQueue(RandomSource& random) : memory_(std::make_unique<uint8_t[]>(kMaxBytes)) {
    random.Fill({memory_.get(), kMaxBytes});
    parts_.reserve(kMaxMessages);
  }

  bool Fits(size_t message_size) const {
    return count_ < kMaxMessages && used_ + message_size <= kMaxBytes;
  }

  // Add takes a message of Fits() bytes in and returns where to write it.
  std::span<uint8_t> Add(Session* session, Direction direction, const Item& item) {
    if (parts_.empty() || parts_.back().session != session ||
        parts_.back().direction != direction) {
      parts_.push_back(
          {session, direction, {&items_[count_], 0}, {memory_.get() + used_, size_t{0}}});
    }
    Part& part = parts_.back();
    items_[count_++] = item;
    part.items = {part.items.data(), part.items.size() + 1};
    part.bytes = {part.bytes.data(), part.bytes.size() + item.message_size};
    uint8_t* const begin = memory_.get() + used_;
    used_ += item.message_size;
    return {begin, item.message_size};
  }

  void Clear() {
    used_ = count_ = 0;
    parts_.clear();
  }

  bool empty() const { return count_ == 0; }
  std::span<const Part> parts() const { return parts_; }

 private:
  std::unique_ptr<uint8_t[]> memory_;
  size_t used_ = 0;
  size_t count_ = 0;
  std::array<Item, kMaxMessages> items_;
  std::vector<Part> parts_;
};

}  // namespace turnpike::load
