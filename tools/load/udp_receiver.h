// Batched UDP, receiving: trains in with GRO and the kernel's time of arrival.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "common/base/bytes.h"
#include "common/base/time.h"

namespace turnpike::load {

// MessageSink is told of everything that arrives on one socket.
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  // `bytes` are valid during the call. `arrival` is when the kernel got them, where it says so.
  virtual void OnMessage(ByteSpan bytes, MonoTime arrival) = 0;
};

// UdpReceiver has the memory for batches; one serves all sockets of a thread.
class UdpReceiver {
 public:
  UdpReceiver();

  // Receive hands everything that waits on `fd` to `sink`, GRO trains taken apart. `wall_to_mono`
  // is subtracted from the kernel's times; what has none arrived `now`. It returns 0, or the error
  // that the socket has met: ECONNREFUSED says that the partner's port is closed.
  int Receive(int fd, Duration wall_to_mono, MonoTime now, MessageSink& sink);

  // scratch is memory that a stream may read into, until the next call.
  std::span<uint8_t> scratch() { return {memory_.get(), kStride}; }

 private:
  static constexpr size_t kBatch = 32;
  static constexpr size_t kStride = 65536;

  // What the kernel says beside a datagram.
  struct Control {
    MonoTime arrival;
    size_t segment_size = 0;
  };
  Control ReadControl(msghdr& header, Duration wall_to_mono, MonoTime now) const;
  void Deliver(ByteSpan bytes, const Control& control, MessageSink& sink) const;

  std::unique_ptr<uint8_t[]> memory_;
  std::array<mmsghdr, kBatch> messages_{};
  std::array<iovec, kBatch> vectors_{};
  struct alignas(cmsghdr) ControlBuffer {
    std::array<uint8_t, 96> bytes;
  };
  std::array<ControlBuffer, kBatch> controls_{};
};

}  // namespace turnpike::load
