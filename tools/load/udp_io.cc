#include "tools/load/udp_io.h"

#include <netinet/udp.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace turnpike::load {
namespace {

// MayBeAnEcho says whether an error can be the late answer to an earlier datagram, which a send
// reports instead of sending.
bool MayBeAnEcho(int error) {
  return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH || error == EINTR;
}

// SendSegments sends `bytes` as datagrams of `segment_size`, the last of which may be shorter.
ssize_t SendSegments(int fd, ByteSpan bytes, uint16_t segment_size) {
  iovec vector{const_cast<uint8_t*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(sizeof(uint16_t))> control{};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* const segment = CMSG_FIRSTHDR(&header);
  segment->cmsg_level = IPPROTO_UDP;
  segment->cmsg_type = UDP_SEGMENT;
  segment->cmsg_len = CMSG_LEN(sizeof(uint16_t));
  std::memcpy(CMSG_DATA(segment), &segment_size, sizeof(segment_size));
  return sendmsg(fd, &header, 0);
}

// RunLength counts the messages from `first` on that one segmented send can carry: of equal size,
// but for a shorter last one.
size_t RunLength(std::span<const Burst::Item> items, size_t first) {
  const uint32_t size = items[first].message_size;
  size_t end = first + 1;
  while (end < items.size() && items[end].message_size == size) ++end;
  if (end < items.size() && items[end].message_size < size && items[end].message_size > 0) ++end;
  return size == 0 ? 1 : end - first;
}

}  // namespace

size_t SendUdp(int fd, const Burst& burst) {
  const auto items = burst.items();
  size_t offset = 0;
  size_t done = 0;
  bool retried = false;
  bool segments = true;
  while (done < items.size()) {
    size_t run = segments ? RunLength(items, done) : 1;
    size_t size = 0;
    for (size_t i = 0; i < run; ++i) size += items[done + i].message_size;
    const ByteSpan bytes = burst.bytes().subspan(offset, size);
    const ssize_t sent =
        run > 1 ? SendSegments(fd, bytes, static_cast<uint16_t>(items[done].message_size))
                : send(fd, bytes.data(), bytes.size(), 0);
    if (sent < 0) {
      // A device or a kernel without segmentation: one by one then.
      if (run > 1 && (errno == EINVAL || errno == EIO || errno == EMSGSIZE)) {
        segments = false;
        continue;
      }
      if (retried || !MayBeAnEcho(errno)) return done;
      retried = true;
      continue;
    }
    retried = false;
    offset += size;
    done += run;
  }
  return done;
}

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
