// Datagrams in and out for the bare forwarder: recvmmsg with GRO, sendmmsg with GSO, and nothing
// else. It shares no code with server/io, whose overhead it is there to show.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/bytes.h"

namespace turnpike::bench {

// Socket is a bound UDP socket; the chain of what waits to leave by it is the queue's.
struct Socket {
  int fd = -1;
  int32_t head = -1;
  int32_t tail = -1;
};

// OpenSocket binds 127.0.0.1:`port` (0: any) and returns the descriptor, or ends the process.
int OpenSocket(uint16_t port, int buffer_bytes);

// Receiver reads batches into buffers that stay until Reset.
class Receiver {
 public:
  static constexpr size_t kBatch = 64;
  static constexpr size_t kBuffers = 128;

  Receiver();

  // Receive calls `take(from, bytes)` for every datagram that one system call brings, and says
  // whether the socket may hold more.
  template <typename Take>
  bool Receive(int fd, Take take) {
    const size_t count = Read(fd);
    for (size_t i = 0; i < count; ++i) {
      ByteSpan bytes(memory_.get() + (used_ + i) * kStride, messages_[i].msg_len);
      const size_t segment = SegmentOf(i, bytes.size());
      for (; bytes.size() > segment; bytes = bytes.subspan(segment)) {
        take(addresses_[i], bytes.first(segment));
      }
      take(addresses_[i], bytes);
    }
    used_ += count;
    return count == kBatch;
  }

  bool has_room() const { return used_ + kBatch <= kBuffers; }
  void Reset() { used_ = 0; }

 private:
  static constexpr size_t kStride = 65536 + 5 * 64;

  struct Control {
    alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(sizeof(int))> bytes;
  };

  size_t Read(int fd);
  size_t SegmentOf(size_t index, size_t size);

  size_t used_ = 0;
  std::unique_ptr<uint8_t[]> memory_;
  std::array<mmsghdr, kBatch> messages_{};
  std::array<iovec, kBatch> vectors_{};
  std::array<sockaddr_in, kBatch> addresses_{};
  std::array<Control, kBatch> controls_{};
};

// SendQueue gathers datagrams per socket and sends them with as few system calls as it can.
class SendQueue {
 public:
  // Add queues `header` and `payload` as one datagram; the payload must stay until Flush. A header
  // of 0 stands for none: it is the four bytes of ChannelData otherwise.
  void Add(Socket& socket, const sockaddr_in& to, uint32_t header, ByteSpan payload);

  // Flush sends everything and returns how many datagrams the kernel took.
  uint64_t Flush();

 private:
  static constexpr size_t kBatch = 64;
  static constexpr size_t kShortestRun = 3;
  static constexpr size_t kLargestRun = 65000;

  struct Entry {
    sockaddr_in to{};
    uint32_t header = 0;
    ByteSpan payload;
    int32_t next = -1;

    size_t size() const { return payload.size() + (header == 0 ? 0 : sizeof(header)); }
  };
  struct Control {
    alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(sizeof(uint16_t))> bytes;
  };

  static int Send(int fd, mmsghdr* messages, unsigned count);
  uint64_t FlushSocket(Socket& socket);
  // RunLength counts the datagrams from `first` on that may leave as one.
  size_t RunLength(int32_t first) const;
  void Prepare(size_t message, int32_t first, size_t datagrams, size_t& vector);

  std::vector<Entry> entries_;
  std::vector<Socket*> sockets_;
  std::array<mmsghdr, kBatch> messages_{};
  std::array<size_t, kBatch> datagrams_{};
  std::array<Control, kBatch> controls_{};
  std::array<iovec, 2 * kBatch> vectors_{};
};

}  // namespace turnpike::bench
