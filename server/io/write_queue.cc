#include "server/io/write_queue.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/base/check.h"

namespace turnpike {
namespace {

// What an empty queue may keep of the memory it had.
constexpr size_t kKeptCapacity = 4096;
constexpr size_t kKeptEntries = 64;

// A message that waits counts as this many bytes at least: its entry costs memory too, and a peer
// may send empty datagrams.
constexpr size_t kSmallestMessage = 128;

// Free gives the memory back, which assigning an empty list would not.
template <typename T>
void Free(std::vector<T>& list) {
  std::vector<T>().swap(list);
}

}  // namespace

bool WriteQueue::HasRoomWithin(size_t size, size_t limit) {
  const auto fits = [&] {
    return this->size() + size <= limit &&
           entries_.size() - first_entry_ < limit / kSmallestMessage;
  };
  if (fits()) return true;
  if (is_blocked_ || is_broken_) return false;
  // The limit is on what the client does not take, not on what one loop turn brings.
  Flush();
  return fits();
}

void WriteQueue::AddForward(const Forward& forward) {
  const size_t size = forward.wire_size();
  added_ += size;
  entries_.push_back({added_, size, true, forward, {}});
}

void WriteQueue::AddMessage(std::vector<uint8_t> bytes) {
  const size_t size = bytes.size();
  added_ += size;
  entries_.push_back({added_, size, false, {}, std::move(bytes)});
}

void WriteQueue::AppendBytes(ByteSpan bytes) {
  TP_DCHECK(first_borrowed_ == entries_.size());
  kept_.insert(kept_.end(), bytes.begin(), bytes.end());
  added_ += bytes.size();
}

void WriteQueue::EndForward(const Forward& forward) {
  TP_DCHECK(first_borrowed_ == entries_.size());
  entries_.push_back({added_, 0, true, forward, {}});
  first_borrowed_ = entries_.size();
}

bool WriteQueue::Flush() {
  while (!is_blocked_ && !is_broken_ && written_ < added_) {
    if (!WriteSome()) break;
  }
  KeepRest();
  ReportDone();
  return !is_broken_;
}

bool WriteQueue::Resume() {
  is_blocked_ = false;
  return Flush();
}

// WriteSome returns whether there may be more to write at once.
bool WriteQueue::WriteSome() {
  std::array<iovec, kMaxVectors> vectors;
  size_t total = 0;
  const size_t count = Gather(vectors, total);
  const auto taken = sink_.Write(std::span(vectors).first(count));
  if (!taken) {
    (taken.error() == EAGAIN ? is_blocked_ : is_broken_) = true;
    return false;
  }
  TP_DCHECK(*taken > 0 && *taken <= total);
  Advance(*taken);
  is_blocked_ = *taken < total;
  return !is_blocked_;
}

size_t WriteQueue::Gather(std::span<iovec> vectors, size_t& total) const {
  size_t count = 0;
  if (kept_head_ < kept_.size()) {
    vectors[count++] = {const_cast<uint8_t*>(kept_.data()) + kept_head_, kept_.size() - kept_head_};
  }
  for (size_t i = first_borrowed_; i < entries_.size() && count + 3 <= vectors.size(); ++i) {
    const uint64_t begin = entries_[i].end - entries_[i].size;
    const size_t skip = written_ > begin ? static_cast<size_t>(written_ - begin) : 0;
    count += GatherEntry(entries_[i], skip, vectors.subspan(count));
  }
  for (size_t i = 0; i < count; ++i) total += vectors[i].iov_len;
  return count;
}

// GatherEntry points at a borrowed message without its first `skip` bytes.
size_t WriteQueue::GatherEntry(const Entry& entry, size_t skip, std::span<iovec> vectors) {
  const Forward& forward = entry.forward;
  const std::array<ByteSpan, 3> pieces =
      entry.is_forward ? std::array<ByteSpan, 3>{forward.header_bytes(), forward.payload,
                                                 forward.padding_bytes()}
                       : std::array<ByteSpan, 3>{entry.message};
  size_t count = 0;
  for (ByteSpan piece : pieces) {
    const size_t skipped = std::min(skip, piece.size());
    skip -= skipped;
    piece = piece.subspan(skipped);
    // The kernel only reads; iovec has no const form.
    if (!piece.empty()) vectors[count++] = {const_cast<uint8_t*>(piece.data()), piece.size()};
  }
  return count;
}

void WriteQueue::Advance(size_t count) {
  written_ += count;
  kept_head_ += std::min(count, kept_.size() - kept_head_);
  while (first_borrowed_ < entries_.size() && entries_[first_borrowed_].end <= written_) {
    Free(entries_[first_borrowed_++].message);
  }
}

// KeepRest copies what is borrowed and was not taken.
void WriteQueue::KeepRest() {
  if (kept_head_ == kept_.size()) {
    kept_.clear();
    kept_head_ = 0;
  } else if (kept_head_ > limit_) {
    kept_.erase(kept_.begin(), kept_.begin() + static_cast<ptrdiff_t>(kept_head_));
    kept_head_ = 0;
  }
  for (; first_borrowed_ < entries_.size(); ++first_borrowed_) {
    Entry& entry = entries_[first_borrowed_];
    const uint64_t begin = entry.end - entry.size;
    const size_t skip = written_ > begin ? static_cast<size_t>(written_ - begin) : 0;
    std::array<iovec, 3> pieces;
    const size_t count = GatherEntry(entry, skip, pieces);
    for (const iovec& piece : std::span(pieces).first(count)) {
      const ByteSpan bytes(static_cast<const uint8_t*>(piece.iov_base), piece.iov_len);
      kept_.insert(kept_.end(), bytes.begin(), bytes.end());
    }
    Free(entry.message);
  }
}

void WriteQueue::ReportDone() {
  while (first_entry_ < entries_.size() && entries_[first_entry_].end <= written_) {
    const Entry& entry = entries_[first_entry_++];
    if (entry.is_forward) reports_.OnForwardSent(entry.forward, {}, 1);
  }
  ReleaseMemory();
}

void WriteQueue::ReleaseMemory() {
  if (first_entry_ == entries_.size()) {
    entries_.clear();
    first_entry_ = first_borrowed_ = 0;
    if (entries_.capacity() > kKeptEntries) Free(entries_);
  } else if (first_entry_ > entries_.size() / 2) {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(first_entry_));
    first_borrowed_ -= first_entry_;
    first_entry_ = 0;
  }
  if (kept_.empty() && kept_.capacity() > kKeptCapacity) Free(kept_);
}

void WriteQueue::Abandon(DropReason reason) {
  is_broken_ = true;
  while (first_entry_ < entries_.size()) {
    const Entry& entry = entries_[first_entry_++];
    if (entry.is_forward) reports_.OnForwardSent(entry.forward, std::unexpected(reason), 1);
  }
  written_ = added_;
  kept_.clear();
  kept_head_ = 0;
  ReleaseMemory();
}

size_t WriteQueue::memory() const {
  size_t bytes = kept_.capacity() + entries_.capacity() * sizeof(Entry);
  for (const Entry& entry : entries_) bytes += entry.message.capacity();
  return bytes;
}

}  // namespace turnpike
