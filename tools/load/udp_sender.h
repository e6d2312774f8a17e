// Datagrams of many sockets to the kernel: in one call where it lets us, with GSO for trains.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/base/bytes.h"

struct io_uring;

namespace turnpike::load {

// Train is datagrams that leave one connected socket in one go: `count` of `message_size` bytes
// each, but for the last, which may be shorter. A single one may have any size.
struct Train {
  static constexpr size_t kMostMessages = 64;  // what one UDP_SEGMENT send may carry
  static constexpr size_t kMostBytes = 65507;  // the payload of the largest IPv4 datagram

  int fd = -1;
  ByteSpan bytes;
  uint32_t message_size = 0;
  uint32_t count = 1;
  uint32_t taken = 0;  // of them by the kernel: what Send answers
  int error = 0;       // why it took no more: errno, or 0
};

// UdpSender sends trains. N sockets cost N system calls, unless io_uring takes all of them in one:
// a third less CPU a packet where every packet has its own socket. Where there is no io_uring (an
// old kernel, a container that forbids it), each train is a call.
class UdpSender {
 public:
  // `batched` false leaves io_uring alone.
  explicit UdpSender(bool batched = true);
  ~UdpSender();
  UdpSender(const UdpSender&) = delete;
  UdpSender& operator=(const UdpSender&) = delete;

  // Send hands all trains to the kernel, in their order, and notes in each what it took. Nothing
  // waits: what does not fit into a socket's buffer is not sent.
  void Send(std::span<Train> trains);

  // is_batched says that io_uring is used.
  bool is_batched() const { return ring_ != nullptr; }

 private:
  static constexpr size_t kBatch = 256;

  // Note is what sendmsg wants beside the bytes of a train; valid until the kernel has read it.
  struct Note {
    iovec vector;
    msghdr header;
    alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(sizeof(uint16_t))> control;
  };

  struct CloseRing {
    void operator()(io_uring* ring) const;
  };

  static const msghdr* Describe(const Train& train, Note& note);
  static void SendAlone(Train& train);
  void SendBatch(std::span<Train> trains);

  std::unique_ptr<io_uring, CloseRing> ring_;  // null: one by one
  std::vector<Note> notes_;                    // of the batch under way
};

}  // namespace turnpike::load
