// What waits to be sent in this loop turn, grouped by socket.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "server/io/receive_batch.h"
#include "server/io/sockaddr.h"
#include "server/io/udp_socket.h"
#include "server/turn/types.h"

namespace turnpike {

// ForwardReports learns what became of each Forward, exactly once.
class ForwardReports {
 public:
  virtual ~ForwardReports() = default;
  virtual void OnForwardSent(const Forward& forward, SendResult result) = 0;
};

// DropReasonOf says what the errno of a failed send means for the datagram.
DropReason DropReasonOf(int error);

// Outbox gathers Forwards and STUN messages and sends them in batches, one chain per socket: order
// is kept per socket, so per destination. It copies no payload. Everything is allocated once.
//
// UDP GSO belongs into SendRun: neighbours of a chain with one destination and one size.
class Outbox {
 public:
  // Room for what a full set of receive buffers can cause.
  static constexpr size_t kCapacity = 2 * ReceiveBatch::kBuffers;

  // `reports` is not owned.
  explicit Outbox(ForwardReports& reports);

  // Add queues `forward` for `socket`, which must stay open until the next Flush. The outbox must
  // not be full.
  void Add(UdpSocket& socket, const Forward& forward);

  // Add queues a STUN message; nobody hears what became of it.
  void Add(UdpSocket& socket, SendMessage message);

  // Flush sends everything and reports every Forward. The reports must not add to the outbox.
  void Flush();

  bool empty() const { return used_ == 0; }
  bool full() const { return used_ == kCapacity; }

 private:
  static constexpr size_t kRun = 64;  // messages per system call

  struct Entry {
    Forward forward;
    std::vector<uint8_t> message;  // a STUN message; then `forward` only says from where to where
    bool is_message = false;
    int32_t next = -1;
  };

  // What the kernel reads of one message.
  struct Prepared {
    SocketAddress to;
    std::array<iovec, 3> vectors;
    alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(sizeof(in6_pktinfo))> control;
  };

  Entry& Append(UdpSocket& socket);
  void FlushSocket(UdpSocket& socket);
  // Prepare fills in messages_[index]; SendRun sends the first `count` of them and sets results_.
  void Prepare(const UdpSocket& socket, size_t index, Entry& entry);
  void SendRun(int fd, size_t count);
  void Report(size_t count);

  ForwardReports& reports_;
  size_t used_ = 0;
  std::unique_ptr<std::array<Entry, kCapacity>> entries_;
  std::vector<UdpSocket*> sockets_;  // with a chain, in the order of their first message
  std::array<mmsghdr, kRun> messages_{};
  std::array<Prepared, kRun> prepared_{};
  std::array<Entry*, kRun> run_{};
  std::array<SendResult, kRun> results_{};
};

}  // namespace turnpike
