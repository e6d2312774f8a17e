// Receives datagrams in batches into buffers that are allocated once.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "common/base/bytes.h"
#include "common/base/counter.h"
#include "server/io/sockaddr.h"
#include "server/io/udp_path.h"
#include "server/io/udp_socket.h"

namespace turnpike {

// ReceivedRun is what one buffer holds: one datagram, or several from one sender that came as one
// (UDP GRO). Its bytes stay valid until ReceiveBatch::Reset. Whoever takes them may write there:
// DTLS decrypts in place.
struct ReceivedRun {
  std::span<uint8_t> bytes;
  size_t segment = 0;  // of each datagram, the last one may be shorter; 0: it is one datagram
  TransportAddress from;
  std::optional<IpAddress> to;  // the own address that was asked, where the socket learns it

  // ForEach calls `take` with the bytes of each datagram, and those of all that follow. It returns
  // how many of these it has taken along, or nullopt when it wants no more.
  template <typename Take>
  void ForEach(Take take) const {
    std::span<uint8_t> rest = bytes;
    do {  // an empty datagram is a datagram all the same
      const size_t size = segment != 0 ? std::min(segment, rest.size()) : rest.size();
      const std::span<uint8_t> datagram = rest.first(size);
      rest = rest.subspan(size);
      const std::optional<size_t> along = take(datagram, rest);
      if (!along) return;
      rest = rest.subspan(*along * segment);
    } while (!rest.empty());
  }
};

// Received is what one system call brought.
struct Received {
  std::span<const ReceivedRun> runs;  // valid until the next Receive
  bool more = false;                  // the socket may hold more
};

// ReceiveBatch is a worker's receive buffers. All sockets of the worker share them: what is
// received waits in its buffer until it has been sent on, so payload is never copied. Buffers hold
// the largest UDP datagram, so nothing is ever truncated; memory is touched only as far as
// datagrams reach.
class ReceiveBatch {
 public:
  static constexpr size_t kBatch = 64;     // buffers that one system call fills
  static constexpr size_t kBuffers = 128;  // buffers that may wait to be sent on

  // ReceiveBatch adds what the kernel says it dropped for want of room to `overflows` (not owned),
  // unless the socket has a counter of its own.
  explicit ReceiveBatch(Counter& overflows, UdpPath path = UdpPath::kOffload);

  // Receive reads what one system call gives without blocking. There must be `has_room`.
  Received Receive(UdpSocket& socket);

  // takes_runs says whether sockets shall receive runs as one.
  bool takes_runs() const { return path_ == UdpPath::kOffload; }

  // has_room says whether a whole batch fits. Reset gives all buffers back: everything received so
  // far has been dealt with.
  bool has_room() const { return used_ + kBatch <= kBuffers; }
  void Reset() { used_ = 0; }

 private:
  // Buffers of 64 KiB would all begin in the same sets of the first-level cache; an odd number of
  // lines between them spreads them.
  static constexpr size_t kStride = 65536 + 5 * 64;
  static constexpr size_t kControlSize = 128;

  struct Control {
    alignas(cmsghdr) std::array<uint8_t, kControlSize> bytes;
  };

  // ReadControl takes what the control messages of `header` say into `run`.
  void ReadControl(msghdr& header, UdpSocket& socket, ReceivedRun& run);

  Counter& overflows_;
  UdpPath path_;
  size_t used_ = 0;
  std::unique_ptr<uint8_t[]> memory_;
  // What the kernel is given of each buffer, once: nothing is left to prepare for a call.
  std::array<mmsghdr, kBuffers> messages_{};
  std::array<iovec, kBuffers> vectors_{};
  std::array<SocketAddress, kBuffers> addresses_{};
  std::array<Control, kBuffers> controls_{};
  std::array<ReceivedRun, kBatch> runs_{};
};

}  // namespace turnpike
