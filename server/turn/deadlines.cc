#include "server/turn/deadlines.h"

namespace turnpike {

void Deadlines::Arm(uint32_t record, MonoTime when) {
  if (record >= position_.size()) position_.resize(size_t{record} + 1, kNowhere);
  const uint32_t position = position_[record];
  if (position == kNowhere) {
    heap_.push_back({when, record});
    SiftUp(heap_.size() - 1);
  } else if (when < heap_[position].when) {
    heap_[position].when = when;
    SiftUp(position);
  }
}

void Deadlines::Disarm(uint32_t record) {
  if (record >= position_.size() || position_[record] == kNowhere) return;
  const size_t position = position_[record];
  position_[record] = kNowhere;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (position == heap_.size()) return;
  Put(position, last);
  SiftUp(position);
  SiftDown(position_[last.record]);
}

std::optional<MonoTime> Deadlines::ArmedAt(uint32_t record) const {
  if (record >= position_.size() || position_[record] == kNowhere) return std::nullopt;
  return heap_[position_[record]].when;
}

bool Deadlines::IsConsistent() const {
  for (size_t i = 0; i < heap_.size(); ++i) {
    if (position_[heap_[i].record] != i) return false;
    if (i != 0 && heap_[i].when < heap_[(i - 1) / 2].when) return false;
  }
  size_t armed = 0;
  for (const uint32_t position : position_) armed += position == kNowhere ? 0 : 1;
  return armed == heap_.size();
}

void Deadlines::Put(size_t position, Entry entry) {
  heap_[position] = entry;
  position_[entry.record] = static_cast<uint32_t>(position);
}

void Deadlines::SiftUp(size_t position) {
  const Entry entry = heap_[position];
  while (position != 0) {
    const size_t parent = (position - 1) / 2;
    if (heap_[parent].when <= entry.when) break;
    Put(position, heap_[parent]);
    position = parent;
  }
  Put(position, entry);
}

void Deadlines::SiftDown(size_t position) {
  const Entry entry = heap_[position];
  for (;;) {
    size_t child = 2 * position + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].when < heap_[child].when) ++child;
    if (entry.when <= heap_[child].when) break;
    Put(position, heap_[child]);
    position = child;
  }
  Put(position, entry);
}

}  // namespace turnpike
