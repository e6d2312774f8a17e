// What waits to be written to one stream client: bounded, and exact about which message the kernel
// took to its last byte.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "server/io/outbox.h"
#include "server/turn/types.h"

namespace turnpike {

// ByteSink takes bytes as a non-blocking stream socket does.
class ByteSink {
 public:
  virtual ~ByteSink() = default;

  // Write takes some first bytes of `vectors`, at least one, and returns how many. It fails with an
  // errno; EAGAIN says that nothing fits at present.
  virtual std::expected<size_t, int> Write(std::span<const iovec> vectors) = 0;
};

// WriteQueue gathers the messages of a loop turn and writes them in one call. Payload is not copied
// while it waits for Flush; what the kernel did not take is. A Forward is reported once: as sent
// when the kernel has taken the last byte of its message, or as dropped by Abandon.
//
// A queue is used in one of two ways, never in both: plain connections add messages (AddForward,
// AddMessage); TLS adds records (AppendBytes) and says which ones carry a Forward (EndForward).
class WriteQueue {
 public:
  // STUN messages may go beyond the limit by this much: an answer that a stream client misses is
  // never sent again, and media must not cost it its allocation.
  static constexpr size_t kMessageReserve = 16384;

  // `limit` bounds the bytes that wait. The sink and the reports are not owned.
  WriteQueue(ByteSink& sink, ForwardReports& reports, size_t limit)
      : sink_(sink), reports_(reports), limit_(limit) {}
  WriteQueue(const WriteQueue&) = delete;
  WriteQueue& operator=(const WriteQueue&) = delete;

  // HasRoom says whether `size` bytes more may wait, after writing what can be written; HasReserve
  // counts the reserve in.
  bool HasRoom(size_t size) { return HasRoomWithin(size, limit_); }
  bool HasReserve(size_t size) { return HasRoomWithin(size, limit_ + kMessageReserve); }

  // AddForward queues a message to a client. Its payload must stay until the next Flush.
  void AddForward(const Forward& forward);

  // AddMessage queues a STUN message; nobody hears what became of it.
  void AddMessage(std::vector<uint8_t> bytes);

  // AppendBytes queues a copy of `bytes`. EndForward says that what was queued since the last call
  // ends with the last byte of `forward`.
  void AppendBytes(ByteSpan bytes);
  void EndForward(const Forward& forward);

  // Flush writes what can be written, copies the rest, and reports the Forwards that are through.
  // The reports must not add to the queue. When the sink fails, Flush and every later one return
  // false.
  bool Flush();

  // Resume says that the sink may take bytes again, and flushes.
  bool Resume();

  // Abandon drops what waits and reports its Forwards as dropped for `reason`.
  void Abandon(DropReason reason);

  // size counts the bytes that wait; written those that the sink took since the beginning.
  size_t size() const { return static_cast<size_t>(added_ - written_); }
  uint64_t written() const { return written_; }

  // is_blocked says that the sink took less than it was given: Resume when it is writable again.
  bool is_blocked() const { return is_blocked_; }

  // memory counts the bytes of heap that the queue holds.
  size_t memory() const;

 private:
  static constexpr size_t kMaxVectors = 256;

  struct Entry {
    uint64_t end = 0;         // where its last byte stands in the stream
    size_t size = 0;          // of the message, where it is borrowed
    bool is_forward = false;  // somebody waits for a report
    Forward forward;
    std::vector<uint8_t> message;  // a STUN message, until it is copied or written
  };

  bool HasRoomWithin(size_t size, size_t limit);
  bool WriteSome();
  size_t Gather(std::span<iovec> vectors, size_t& total) const;
  static size_t GatherEntry(const Entry& entry, size_t skip, std::span<iovec> vectors);
  void Advance(size_t count);
  void KeepRest();
  void ReportDone();
  void ReleaseMemory();

  ByteSink& sink_;
  ForwardReports& reports_;
  const size_t limit_;
  bool is_blocked_ = false;
  bool is_broken_ = false;
  uint64_t added_ = 0;    // bytes of the stream so far
  uint64_t written_ = 0;  // of these, taken by the sink
  // The stream from `written_` on: first the bytes kept here, from `kept_head_`, then the borrowed
  // entries, from `first_borrowed_`.
  std::vector<uint8_t> kept_;
  size_t kept_head_ = 0;
  std::vector<Entry> entries_;  // in order of `end`, from `first_entry_`
  size_t first_entry_ = 0;
  size_t first_borrowed_ = 0;
};

}  // namespace turnpike
