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
#include "server/io/udp_path.h"
#include "server/io/udp_socket.h"
#include "server/turn/types.h"

namespace turnpike {

// ForwardReports learns what became of each datagram, exactly once.
class ForwardReports {
 public:
  virtual ~ForwardReports() = default;

  // OnForwardSent hears of `count` datagrams: that of `forward`, or some of the run that it stands
  // for.
  virtual void OnForwardSent(const Forward& forward, SendResult result, uint32_t count) = 0;
};

// DropReasonOf says what the errno of a failed send means for the datagram.
DropReason DropReasonOf(int error);

// Outbox gathers Forwards and STUN messages and sends them in batches, one chain per socket: order
// is kept per socket, so per destination. It copies no payload. Everything is allocated once.
//
// Neighbours of a chain with one destination and one size leave as a run (UDP GSO): the kernel
// takes them through its stack as one, and takes all of them or none.
class Outbox {
 public:
  // Room for what a full set of receive buffers can cause.
  static constexpr size_t kCapacity = 2 * ReceiveBatch::kBuffers;

  // `reports` is not owned.
  explicit Outbox(ForwardReports& reports, UdpPath path = UdpPath::kOffload);

  // Add queues `forward` for `socket`, which must stay open until the next Flush. The outbox must
  // not be full. It may stand for a run of `count` datagrams, each with a payload of its own: the
  // next one's begins `stride` bytes behind.
  void Add(UdpSocket& socket, const Forward& forward, uint32_t count = 1, size_t stride = 0);

  // Add queues `forward` as the datagram `sealed`, which is its message encrypted.
  void Add(UdpSocket& socket, const Forward& forward, std::vector<uint8_t> sealed);

  // Add queues a STUN message; nobody hears what became of it.
  void Add(UdpSocket& socket, SendMessage message);

  // Flush sends everything and reports every Forward. The reports must not add to the outbox.
  void Flush();

  bool empty() const { return used_ == 0; }
  bool full() const { return used_ == kCapacity; }

 private:
  static constexpr size_t kBatch = 64;  // datagrams per system call
  // Shorter runs cost more to put together than they save.
  static constexpr size_t kShortestRun = 3;
  static constexpr size_t kLargestRun = 65000;  // bytes; what one IP packet holds, and some room

  struct Entry {
    Forward forward;
    // What goes out instead of the parts of `forward`, which then says from where to where.
    std::optional<std::vector<uint8_t>> whole;
    bool is_message = false;  // a STUN message: nothing to report
    uint32_t count = 1;       // datagrams that it stands for
    uint32_t taken = 0;       // of them, into a batch
    size_t stride = 0;

    // size counts the bytes of the datagram.
    size_t size() const { return whole ? whole->size() : forward.wire_size(); }
    int32_t next = -1;
  };

  // One datagram of an entry.
  struct Piece {
    Entry* entry = nullptr;
    const uint8_t* payload = nullptr;

    const Forward& forward() const { return entry->forward; }
    size_t size() const { return entry->size(); }
  };

  // What the kernel reads of one message: one datagram, or a run of them.
  struct Prepared {
    SocketAddress to;
    size_t datagrams = 0;
    alignas(cmsghdr)
        std::array<uint8_t, CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t))> control;
  };

  Entry& Append(UdpSocket& socket);
  void FlushSocket(UdpSocket& socket);
  // Gather fills batch_ from the chain at `index`, returns the count and moves `index` on.
  size_t Gather(int32_t& index);
  // SendBatch sends the first `count` of batch_ and sets results_.
  void SendBatch(UdpSocket& socket, size_t count);
  // Prepare makes messages_ of batch_[first, count), without runs before `plain_until`; it returns
  // how many.
  size_t Prepare(const UdpSocket& socket, size_t first, size_t count, size_t plain_until);
  // RunLength counts the datagrams from batch_[first] on that can leave as one.
  size_t RunLength(const UdpSocket& socket, size_t first, size_t count) const;
  // PrepareMessage makes messages_[index] of batch_[first, first + datagrams), whose vectors begin
  // at vectors_[vector]; it returns where the next ones do.
  size_t PrepareMessage(const UdpSocket& socket, size_t index, size_t first, size_t datagrams,
                        size_t vector);
  // SendMessages sends messages_[0, count), whose datagrams begin at batch_[first], and returns the
  // first datagram that was not dealt with: all are, unless a run was refused that may still go
  // datagram by datagram.
  size_t SendMessages(UdpSocket& socket, size_t first, size_t count);
  void Report(size_t count);

  ForwardReports& reports_;
  UdpPath path_;
  size_t used_ = 0;
  std::unique_ptr<std::array<Entry, kCapacity>> entries_;
  std::vector<UdpSocket*> sockets_;  // with a chain, in the order of their first message
  std::array<mmsghdr, kBatch> messages_{};
  std::array<Prepared, kBatch> prepared_{};
  std::array<iovec, 3 * kBatch> vectors_{};
  std::array<Piece, kBatch> batch_{};
  std::array<SendResult, kBatch> results_{};
};

}  // namespace turnpike
