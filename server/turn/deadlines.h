// When each allocation needs attention next: one heap entry per allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/time.h"

namespace turnpike {

// Deadlines is a binary heap of (time, record index) that knows where each record's entry stands.
// Arming later than the entry says changes nothing: the entry comes up early, and its owner arms it
// anew then. A refresh, which only moves a deadline away, so costs no heap work.
class Deadlines {
 public:
  struct Entry {
    MonoTime when;
    uint32_t record = 0;
  };

  // Arm makes sure that `record` comes up at `when` or earlier.
  void Arm(uint32_t record, MonoTime when);

  // Disarm forgets `record`; it need not be armed.
  void Disarm(uint32_t record);

  // First returns the earliest entry, or nullopt when nothing is armed.
  std::optional<Entry> First() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front();
  }

  // ArmedAt returns when `record` comes up, or nullopt when it is not armed.
  std::optional<MonoTime> ArmedAt(uint32_t record) const;

  size_t size() const { return heap_.size(); }

  // IsConsistent checks the heap's order and every position.
  bool IsConsistent() const;

 private:
  static constexpr uint32_t kNowhere = UINT32_MAX;

  void Put(size_t position, Entry entry);
  void SiftUp(size_t position);
  void SiftDown(size_t position);

  std::vector<Entry> heap_;
  std::vector<uint32_t> position_;  // by record
};

}  // namespace turnpike
