// A counter with one writer and any number of readers.
#pragma once

#include <atomic>
#include <cstdint>

namespace turnpike {

// Counter is a running total that one thread adds to and others may read at any time. An addition
// is a plain load, add and store (no locked instruction), which is why there may be only one
// writer. Its memory is exactly one `uint64_t`, so that it may live in a mapped file.
class Counter {
 public:
  constexpr Counter() = default;

  // Add adds `amount`. Only the owning thread may call it. The store releases, so that a reader who
  // sees the new total also sees what the writer wrote before it.
  void Add(uint64_t amount) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_release);
  }

  // Set overwrites the total: for gauges, and for a slot that starts anew.
  void Set(uint64_t value) { value_.store(value, std::memory_order_release); }

  // Get returns the total as of now. Any thread may call it.
  uint64_t Get() const { return value_.load(std::memory_order_acquire); }

 private:
  std::atomic<uint64_t> value_{0};
};

static_assert(sizeof(Counter) == 8 && std::atomic<uint64_t>::is_always_lock_free);

}  // namespace turnpike
