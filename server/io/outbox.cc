#include "server/io/outbox.h"

#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/check.h"

namespace turnpike {
namespace {

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

// WriteControl appends a control message at out + used and returns what is used then.
template <typename T>
size_t WriteControl(int level, int type, const T& value, uint8_t* out, size_t used) {
  cmsghdr header{};
  header.cmsg_level = level;
  header.cmsg_type = type;
  header.cmsg_len = CMSG_LEN(sizeof(value));
  std::memcpy(out + used, &header, sizeof(header));
  std::memcpy(out + used + CMSG_LEN(0), &value, sizeof(value));
  return used + CMSG_SPACE(sizeof(value));
}

// WriteSource makes a datagram leave from `from`. A socket on a wildcard address would else answer
// from the address that routing prefers.
size_t WriteSource(const IpAddress& from, uint8_t* out, size_t used) {
  const ByteSpan bytes = from.bytes();
  if (from.is_v4()) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, bytes.data(), bytes.size());
    return WriteControl(IPPROTO_IP, IP_PKTINFO, info, out, used);
  }
  in6_pktinfo info{};
  std::memcpy(&info.ipi6_addr, bytes.data(), bytes.size());
  return WriteControl(IPPROTO_IPV6, IPV6_PKTINFO, info, out, used);
}

// SendSome is sendmmsg, but cheaper for a single message, which is what each of thousands of quiet
// sessions has to send: without a vector and a header to copy in, the kernel saves a tenth.
int SendSome(int fd, mmsghdr* messages, unsigned count) {
  if (count > 1) return sendmmsg(fd, messages, count, 0);
  const msghdr& header = messages->msg_hdr;
  if (header.msg_iovlen > 1 || header.msg_control != nullptr) {
    return sendmsg(fd, &header, 0) < 0 ? -1 : 1;
  }
  const iovec& bytes = *header.msg_iov;
  return sendto(fd, bytes.iov_base, bytes.iov_len, 0, static_cast<const sockaddr*>(header.msg_name),
                header.msg_namelen) < 0
             ? -1
             : 1;
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

Outbox::Outbox(ForwardReports& reports, UdpPath path)
    : reports_(reports), path_(path), entries_(std::make_unique<std::array<Entry, kCapacity>>()) {
  sockets_.reserve(kCapacity);
  for (size_t i = 0; i < kBatch; ++i) messages_[i].msg_hdr.msg_name = &prepared_[i].to;
}

Outbox::Entry& Outbox::Append(UdpSocket& socket) {
  TP_CHECK(!full());
  const auto index = static_cast<int32_t>(used_++);
  Entry& entry = (*entries_)[static_cast<size_t>(index)];
  entry.next = -1;
  entry.count = 1;
  entry.taken = 0;
  if (socket.queue_head < 0) {
    socket.queue_head = index;
    sockets_.push_back(&socket);
  } else {
    (*entries_)[static_cast<size_t>(socket.queue_tail)].next = index;
  }
  socket.queue_tail = index;
  return entry;
}

void Outbox::Add(UdpSocket& socket, const Forward& forward, uint32_t count, size_t stride) {
  Entry& entry = Append(socket);
  entry.forward = forward;
  entry.is_message = false;
  entry.count = count;
  entry.stride = stride;
}

void Outbox::Add(UdpSocket& socket, const Forward& forward, std::vector<uint8_t> sealed) {
  Entry& entry = Append(socket);
  entry.forward = forward;
  entry.whole = std::move(sealed);
  entry.is_message = false;
}

void Outbox::Add(UdpSocket& socket, SendMessage message) {
  Entry& entry = Append(socket);
  entry.forward = {};
  entry.forward.from = message.from;
  entry.forward.to = message.to;
  entry.whole = std::move(message.bytes);
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
    const size_t count = Gather(index);
    const Forward& first = batch_[0].forward();
    socket.SetDontFragment(first.dont_fragment, first.to.ip.is_v4());
    SendBatch(socket, count);
    Report(count);
  }
}

size_t Outbox::Gather(int32_t& index) {
  size_t count = 0;
  while (index >= 0 && count < kBatch) {
    Entry& entry = (*entries_)[static_cast<size_t>(index)];
    // DF is a property of the socket, so a batch has one value of it.
    if (count > 0 && entry.forward.dont_fragment != batch_[0].forward().dont_fragment) break;
    const uint8_t* const payload = entry.forward.payload.data();
    for (; entry.taken < entry.count && count < kBatch; ++entry.taken) {
      batch_[count++] = {&entry, payload + entry.taken * entry.stride};
    }
    if (entry.taken == entry.count) index = entry.next;
  }
  return count;
}

void Outbox::SendBatch(UdpSocket& socket, size_t count) {
  size_t plain_until = 0;
  for (size_t first = 0; first < count;) {
    const size_t messages = Prepare(socket, first, count, plain_until);
    first = SendMessages(socket, first, messages);
    // A refused run: its datagrams go one by one, and hear each its own reason.
    if (first < count) plain_until = first + RunLength(socket, first, count);
  }
}

size_t Outbox::Prepare(const UdpSocket& socket, size_t first, size_t count, size_t plain_until) {
  const bool runs = path_ == UdpPath::kOffload && !socket.refuses_runs;
  size_t messages = 0;
  size_t vector = 0;
  while (first < count) {
    size_t datagrams = 1;
    if (runs && first >= plain_until) {
      const size_t length = RunLength(socket, first, count);
      if (length >= kShortestRun) datagrams = length;
    }
    vector = PrepareMessage(socket, messages++, first, datagrams, vector);
    first += datagrams;
  }
  return messages;
}

size_t Outbox::RunLength(const UdpSocket& socket, size_t first, size_t count) const {
  const Forward& head = batch_[first].forward();
  const size_t size = batch_[first].size();
  if (size == 0) return 1;
  size_t bytes = size;
  size_t length = 1;
  for (size_t i = first + 1; i < count && bytes + size <= kLargestRun; ++i) {
    if (batch_[i].entry != batch_[first].entry) {
      const Forward& next = batch_[i].forward();
      const size_t next_size = batch_[i].size();
      if (next_size == 0 || next_size > size || next.to != head.to) break;
      if (socket.learns_destination && next.from.ip != head.from.ip) break;
      if (next_size < size) return length + 1;  // a run may end with a shorter datagram
    }
    bytes += size;
    ++length;
  }
  return length;
}

size_t Outbox::PrepareMessage(const UdpSocket& socket, size_t index, size_t first, size_t datagrams,
                              size_t vector) {
  const Forward& head = batch_[first].forward();
  Prepared& prepared = prepared_[index];
  prepared.datagrams = datagrams;
  msghdr& header = messages_[index].msg_hdr;
  header.msg_namelen = ToSocketAddress(head.to, prepared.to);
  header.msg_iov = &vectors_[vector];
  const size_t first_vector = vector;
  for (size_t i = first; i < first + datagrams; ++i) {
    const auto& [entry, payload] = batch_[i];
    if (entry->whole) {
      vectors_[vector++] = VectorOf(*entry->whole);
      continue;
    }
    const Forward& forward = entry->forward;
    if (forward.header_size > 0) vectors_[vector++] = VectorOf(forward.header_bytes());
    // A datagram without payload is a datagram all the same.
    vectors_[vector++] = VectorOf(ByteSpan(payload, forward.payload.size()));
    if (forward.padding_size > 0) vectors_[vector++] = VectorOf(forward.padding_bytes());
  }
  header.msg_iovlen = vector - first_vector;
  uint8_t* const control = prepared.control.data();
  size_t used = 0;
  if (socket.learns_destination) used = WriteSource(head.from.ip, control, used);
  if (datagrams > 1) {
    const auto segment = static_cast<uint16_t>(batch_[first].size());
    used = WriteControl(IPPROTO_UDP, UDP_SEGMENT, segment, control, used);
  }
  header.msg_control = used > 0 ? control : nullptr;
  header.msg_controllen = used;
  return vector;
}

size_t Outbox::SendMessages(UdpSocket& socket, size_t first, size_t count) {
  const size_t per_call = path_ == UdpPath::kPlain ? 1 : kBatch;
  size_t done = 0;
  bool retried = false;
  const auto settle = [&](SendResult result) {
    const size_t datagrams = prepared_[done++].datagrams;
    std::fill_n(results_.begin() + static_cast<ptrdiff_t>(first), datagrams, result);
    first += datagrams;
    retried = false;
  };
  while (done < count) {
    const auto size = static_cast<unsigned>(std::min(per_call, count - done));
    const int sent = SendSome(socket.fd.get(), &messages_[done], size);
    for (int i = 0; i < sent; ++i) settle({});
    if (sent > 0) continue;
    const int error = errno;
    if (error == EINTR) continue;
    if (!retried && MayBeOfAnEarlierDatagram(error)) {
      retried = true;
      continue;
    }
    const DropReason reason = DropReasonOf(error);
    if (reason != DropReason::kWouldBlock && prepared_[done].datagrams > 1) {
      if (error == EIO) socket.refuses_runs = true;  // no checksum offload on its way out
      return first;
    }
    settle(std::unexpected(reason));
    // The send buffer is full: the rest would only cost a system call each to hear the same.
    // Shedding it is what keeps an overloaded relay serving.
    while (reason == DropReason::kWouldBlock && done < count) settle(std::unexpected(reason));
  }
  return first;
}

void Outbox::Report(size_t count) {
  for (size_t i = 0; i < count;) {
    Entry& entry = *batch_[i].entry;
    const size_t first = i++;
    while (i < count && batch_[i].entry == &entry && results_[i] == results_[first]) ++i;
    entry.whole.reset();
    if (entry.is_message) continue;
    reports_.OnForwardSent(entry.forward, results_[first], static_cast<uint32_t>(i - first));
  }
}

}  // namespace turnpike
