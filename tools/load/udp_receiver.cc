#include "tools/load/udp_receiver.h"

#include <netinet/udp.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace turnpike::load {
UdpReceiver::UdpReceiver() : memory_(std::make_unique_for_overwrite<uint8_t[]>(kBatch * kStride)) {
  for (size_t i = 0; i < kBatch; ++i) {
    vectors_[i] = {memory_.get() + i * kStride, kStride};
    messages_[i].msg_hdr.msg_iov = &vectors_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    messages_[i].msg_hdr.msg_control = &controls_[i];
    messages_[i].msg_hdr.msg_controllen = sizeof(ControlBuffer);
  }
}

UdpReceiver::Control UdpReceiver::ReadControl(msghdr& header, Duration wall_to_mono,
                                              MonoTime now) const {
  Control control{now, 0};
  for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each)) {
    if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_TIMESTAMPNS) {
      timespec time;
      std::memcpy(&time, CMSG_DATA(each), sizeof(time));
      control.arrival =
          MonoTime(std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec) - wall_to_mono);
    } else if (each->cmsg_level == IPPROTO_UDP && each->cmsg_type == UDP_GRO) {
      int size = 0;
      std::memcpy(&size, CMSG_DATA(each), sizeof(size));
      control.segment_size = static_cast<size_t>(size);
    }
  }
  return control;
}

void UdpReceiver::Deliver(ByteSpan bytes, const Control& control, MessageSink& sink) const {
  if (control.segment_size == 0 || bytes.size() <= control.segment_size) {
    sink.OnMessage(bytes, control.arrival);
    return;
  }
  while (!bytes.empty()) {
    const size_t size = std::min(bytes.size(), control.segment_size);
    sink.OnMessage(bytes.first(size), control.arrival);
    bytes = bytes.subspan(size);
  }
}

int UdpReceiver::Receive(int fd, Duration wall_to_mono, MonoTime now, MessageSink& sink) {
  while (true) {
    const int count = recvmmsg(fd, messages_.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (count < 0) return errno == EAGAIN || errno == EINTR ? 0 : errno;
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      msghdr& header = messages_[i].msg_hdr;
      const Control control = ReadControl(header, wall_to_mono, now);
      const ByteSpan bytes(memory_.get() + i * kStride, messages_[i].msg_len);
      header.msg_controllen = sizeof(ControlBuffer);
      Deliver(bytes, control, sink);
    }
    if (static_cast<size_t>(count) < kBatch) return 0;
  }
}

}  // namespace turnpike::load
