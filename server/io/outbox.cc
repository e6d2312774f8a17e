#include "server/io/outbox.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/check.h"

namespace turnpike {
namespace {

constexpr std::array<uint8_t, 4> kZeros{};

iovec VectorOf(ByteSpan bytes) {
  // The kernel only reads; iovec has no const form.
  return {const_cast<uint8_t*>(bytes.data()), bytes.size()};
}

// MayBeOfAnEarlierDatagram says whether `error` can be the late echo of a datagram sent before (an
// ICMP answer), which a send reports instead of sending.
bool MayBeOfAnEarlierDatagram(int error) {
  switch (error) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EMSGSIZE:
    case EACCES:
    case ENONET:
    case EOPNOTSUPP:
      return true;
    default:
      return false;
  }
}

// WriteSource writes the control message that makes a datagram leave from `from`, and returns its
// size. A socket on a wildcard address would else answer from the address that routing prefers.
size_t WriteSource(const IpAddress& from, uint8_t* out) {
  cmsghdr header{};
  const ByteSpan bytes = from.bytes();
  if (from.is_v4()) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, bytes.data(), bytes.size());
    header.cmsg_level = IPPROTO_IP;
    header.cmsg_type = IP_PKTINFO;
    header.cmsg_len = CMSG_LEN(sizeof(info));
    std::memcpy(out + CMSG_LEN(0), &info, sizeof(info));
  } else {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, bytes.data(), bytes.size());
    header.cmsg_level = IPPROTO_IPV6;
    header.cmsg_type = IPV6_PKTINFO;
    header.cmsg_len = CMSG_LEN(sizeof(info));
    std::memcpy(out + CMSG_LEN(0), &info, sizeof(info));
  }
  std::memcpy(out, &header, sizeof(header));
  return from.is_v4() ? CMSG_SPACE(sizeof(in_pktinfo)) : CMSG_SPACE(sizeof(in6_pktinfo));
}

}  // namespace

DropReason DropReasonOf(int error) {
  switch (error) {
    case EAGAIN:
    case ENOBUFS:
      return DropReason::kWouldBlock;
    case EMSGSIZE:
      return DropReason::kTooLarge;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case ECONNREFUSED:
    case EPERM:
    case EACCES:
      return DropReason::kUnreachable;
    default:
      return DropReason::kSendFailed;
  }
}

Outbox::Outbox(ForwardReports& reports)
    : reports_(reports), entries_(std::make_unique<std::array<Entry, kCapacity>>()) {
  sockets_.reserve(kCapacity);
  for (size_t i = 0; i < kRun; ++i) {
    messages_[i].msg_hdr.msg_name = &prepared_[i].to;
    messages_[i].msg_hdr.msg_iov = prepared_[i].vectors.data();
  }
}

Outbox::Entry& Outbox::Append(UdpSocket& socket) {
  TP_CHECK(!full());
  const auto index = static_cast<int32_t>(used_++);
  Entry& entry = (*entries_)[static_cast<size_t>(index)];
  entry.next = -1;
  if (socket.queue_head < 0) {
    socket.queue_head = index;
    sockets_.push_back(&socket);
  } else {
    (*entries_)[static_cast<size_t>(socket.queue_tail)].next = index;
  }
  socket.queue_tail = index;
  return entry;
}

void Outbox::Add(UdpSocket& socket, const Forward& forward) {
  Entry& entry = Append(socket);
  entry.forward = forward;
  entry.is_message = false;
}

void Outbox::Add(UdpSocket& socket, SendMessage message) {
  Entry& entry = Append(socket);
  entry.forward = {};
  entry.forward.from = message.from;
  entry.forward.to = message.to;
  entry.message = std::move(message.bytes);
  entry.forward.payload = entry.message;
  entry.is_message = true;
}

void Outbox::Flush() {
  for (UdpSocket* socket : sockets_) FlushSocket(*socket);
  sockets_.clear();
  used_ = 0;
}

void Outbox::FlushSocket(UdpSocket& socket) {
  int32_t index = socket.queue_head;
  socket.queue_head = socket.queue_tail = -1;
  while (index >= 0) {
    size_t count = 0;
    const bool dont_fragment = (*entries_)[static_cast<size_t>(index)].forward.dont_fragment;
    while (index >= 0 && count < kRun) {
      Entry& entry = (*entries_)[static_cast<size_t>(index)];
      // DF is a property of the socket, so a run has one value of it.
      if (entry.forward.dont_fragment != dont_fragment) break;
      run_[count] = &entry;
      Prepare(socket, count++, entry);
      index = entry.next;
    }
    socket.SetDontFragment(dont_fragment, run_[0]->forward.to.ip.is_v4());
    SendRun(socket.fd.get(), count);
    Report(count);
  }
}

void Outbox::Prepare(const UdpSocket& socket, size_t index, Entry& entry) {
  const Forward& forward = entry.forward;
  Prepared& prepared = prepared_[index];
  msghdr& header = messages_[index].msg_hdr;
  header.msg_namelen = ToSocketAddress(forward.to, prepared.to);
  size_t vectors = 0;
  if (forward.header_size > 0) prepared.vectors[vectors++] = VectorOf(forward.header_bytes());
  // A datagram without payload is a datagram all the same.
  prepared.vectors[vectors++] = VectorOf(forward.payload);
  if (forward.padding_size > 0) {
    prepared.vectors[vectors++] = VectorOf(ByteSpan(kZeros).first(forward.padding_size));
  }
  header.msg_iovlen = vectors;
  header.msg_control = nullptr;
  header.msg_controllen = 0;
  if (socket.learns_destination) {
    header.msg_control = prepared.control.data();
    header.msg_controllen = WriteSource(forward.from.ip, prepared.control.data());
  }
}

void Outbox::SendRun(int fd, size_t count) {
  size_t done = 0;
  bool retried = false;
  while (done < count) {
    const int sent = sendmmsg(fd, &messages_[done], static_cast<unsigned>(count - done), 0);
    if (sent > 0) {
      std::fill_n(results_.begin() + static_cast<ptrdiff_t>(done), sent, SendResult());
      done += static_cast<size_t>(sent);
      retried = false;
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    if (!retried && MayBeOfAnEarlierDatagram(error)) {
      retried = true;
      continue;
    }
    retried = false;
    const SendResult failed = std::unexpected(DropReasonOf(error));
    results_[done++] = failed;
    if (failed.error() != DropReason::kWouldBlock) continue;
    // The send buffer is full: the rest of the run would only cost a system call each to hear the
    // same. Shedding it is what keeps an overloaded relay serving.
    std::fill(results_.begin() + static_cast<ptrdiff_t>(done),
              results_.begin() + static_cast<ptrdiff_t>(count), failed);
    done = count;
  }
}

void Outbox::Report(size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (run_[i]->is_message) {
      run_[i]->message = {};
    } else {
      reports_.OnForwardSent(run_[i]->forward, results_[i]);
    }
  }
}

}  // namespace turnpike
