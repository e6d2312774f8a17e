#include "tests/bench/forwarder_io.h"

#include <netinet/udp.h>

#include <cstring>

#include "common/base/check.h"

namespace turnpike::bench {

int OpenSocket(uint16_t port, int buffer_bytes) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  TP_CHECK(fd >= 0);
  const int on = 1;
  setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(buffer_bytes));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  TP_CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  return fd;
}

Receiver::Receiver() : memory_(std::make_unique_for_overwrite<uint8_t[]>(kBuffers * kStride)) {
  for (size_t i = 0; i < kBatch; ++i) {
    msghdr& header = messages_[i].msg_hdr;
    header.msg_name = &addresses_[i];
    header.msg_namelen = sizeof(sockaddr_in);
    header.msg_iov = &vectors_[i];
    header.msg_iovlen = 1;
    header.msg_control = &controls_[i];
    header.msg_controllen = sizeof(Control);
  }
}

size_t Receiver::Read(int fd) {
  for (size_t i = 0; i < kBatch; ++i) {
    vectors_[i] = {memory_.get() + (used_ + i) * kStride, 65535};
  }
  const int count = recvmmsg(fd, messages_.data(), kBatch, MSG_DONTWAIT, nullptr);
  return count < 0 ? 0 : static_cast<size_t>(count);
}

size_t Receiver::SegmentOf(size_t index, size_t size) {
  msghdr& header = messages_[index].msg_hdr;
  size_t segment = size;
  const cmsghdr* control = CMSG_FIRSTHDR(&header);
  if (control != nullptr && control->cmsg_type == UDP_GRO) {
    int value = 0;
    std::memcpy(&value, CMSG_DATA(control), sizeof(value));
    if (value > 0) segment = static_cast<size_t>(value);
  }
  header.msg_controllen = sizeof(Control);
  return segment;
}

void SendQueue::Add(Socket& socket, const sockaddr_in& to, uint32_t header, ByteSpan payload) {
  const auto index = static_cast<int32_t>(entries_.size());
  entries_.push_back({to, header, payload, -1});
  if (socket.head < 0) {
    socket.head = index;
    sockets_.push_back(&socket);
  } else {
    entries_[static_cast<size_t>(socket.tail)].next = index;
  }
  socket.tail = index;
}

uint64_t SendQueue::Flush() {
  uint64_t sent = 0;
  for (Socket* socket : sockets_) sent += FlushSocket(*socket);
  sockets_.clear();
  entries_.clear();
  return sent;
}

size_t SendQueue::RunLength(int32_t first) const {
  const Entry& head = entries_[static_cast<size_t>(first)];
  size_t bytes = head.size();
  size_t length = 1;
  for (int32_t i = head.next; i >= 0 && length < kBatch; ++length) {
    const Entry& next = entries_[static_cast<size_t>(i)];
    if (next.size() != head.size() || bytes + next.size() > kLargestRun ||
        next.to.sin_port != head.to.sin_port ||
        next.to.sin_addr.s_addr != head.to.sin_addr.s_addr) {
      break;
    }
    bytes += next.size();
    i = next.next;
  }
  return length;
}

void SendQueue::Prepare(size_t message, int32_t first, size_t datagrams, size_t& vector) {
  msghdr& header = messages_[message].msg_hdr;
  Entry& head = entries_[static_cast<size_t>(first)];
  datagrams_[message] = datagrams;
  header.msg_name = &head.to;
  header.msg_namelen = sizeof(head.to);
  header.msg_iov = &vectors_[vector];
  header.msg_control = nullptr;
  header.msg_controllen = 0;
  int32_t index = first;
  for (size_t i = 0; i < datagrams; ++i) {
    Entry& entry = entries_[static_cast<size_t>(index)];
    if (entry.header != 0) vectors_[vector++] = {&entry.header, sizeof(entry.header)};
    vectors_[vector++] = {const_cast<uint8_t*>(entry.payload.data()), entry.payload.size()};
    index = entry.next;
  }
  header.msg_iovlen = static_cast<size_t>(vectors_.data() + vector - header.msg_iov);
  if (datagrams == 1) return;
  header.msg_control = &controls_[message];
  header.msg_controllen = sizeof(Control);
  cmsghdr* const control = CMSG_FIRSTHDR(&header);
  control->cmsg_level = IPPROTO_UDP;
  control->cmsg_type = UDP_SEGMENT;
  control->cmsg_len = CMSG_LEN(sizeof(uint16_t));
  const auto segment = static_cast<uint16_t>(head.size());
  std::memcpy(CMSG_DATA(control), &segment, sizeof(segment));
}

// Send is sendmmsg, or what costs less for one plain datagram, as in turnpiked.
int SendQueue::Send(int fd, mmsghdr* messages, unsigned count) {
  const msghdr& header = messages->msg_hdr;
  if (count > 1 || header.msg_iovlen > 1 || header.msg_controllen > 0) {
    return sendmmsg(fd, messages, count, 0);
  }
  return sendto(fd, header.msg_iov->iov_base, header.msg_iov->iov_len, 0,
                static_cast<const sockaddr*>(header.msg_name), header.msg_namelen) < 0
             ? -1
             : 1;
}

uint64_t SendQueue::FlushSocket(Socket& socket) {
  uint64_t sent = 0;
  int32_t index = socket.head;
  socket.head = socket.tail = -1;
  while (index >= 0) {
    size_t messages = 0;
    size_t vector = 0;
    for (size_t datagrams = 0; index >= 0 && datagrams < kBatch;) {
      size_t run = RunLength(index);
      if (run < kShortestRun) run = 1;
      if (datagrams + run > kBatch) break;
      Prepare(messages++, index, run, vector);
      datagrams += run;
      for (size_t i = 0; i < run; ++i) index = entries_[static_cast<size_t>(index)].next;
    }
    for (size_t done = 0; done < messages;) {
      const int took = Send(socket.fd, &messages_[done], static_cast<unsigned>(messages - done));
      if (took <= 0) break;  // what the kernel does not take is lost
      for (int i = 0; i < took; ++i) sent += datagrams_[done++];
    }
  }
  return sent;
}

}  // namespace turnpike::bench
