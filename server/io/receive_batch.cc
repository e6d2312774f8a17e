#include "server/io/receive_batch.h"

#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/check.h"

namespace turnpike {
namespace {

constexpr size_t kLargestDatagram = 65535;

template <typename T>
T ReadPayload(const cmsghdr& control) {
  T value;
  std::memcpy(&value, CMSG_DATA(&control), sizeof(value));
  return value;
}

}  // namespace

ReceiveBatch::ReceiveBatch(Counter& overflows, UdpPath path)
    : overflows_(overflows),
      path_(path),
      // Not value-initialised: untouched pages cost nothing.
      memory_(std::make_unique_for_overwrite<uint8_t[]>(kBuffers * kStride)) {
  for (size_t i = 0; i < kBuffers; ++i) {
    vectors_[i] = {memory_.get() + i * kStride, kLargestDatagram};
    msghdr& header = messages_[i].msg_hdr;
    header.msg_name = &addresses_[i];
    header.msg_iov = &vectors_[i];
    header.msg_iovlen = 1;
    header.msg_control = &controls_[i];
    header.msg_namelen = sizeof(SocketAddress);
    header.msg_controllen = sizeof(Control);
  }
}

Received ReceiveBatch::Receive(UdpSocket& socket) {
  TP_DCHECK(has_room());
  const size_t limit = path_ == UdpPath::kPlain ? 1 : kBatch;
  const std::span<mmsghdr> free = std::span(messages_).subspan(used_, limit);
  int count = -1;
  // An error that an earlier send left on the socket is reported once and cleared by that; it must
  // not be mistaken for an empty socket.
  for (int attempt = 0; attempt < 3 && count < 0; ++attempt) {
    count =
        recvmmsg(socket.fd.get(), free.data(), static_cast<unsigned>(limit), MSG_DONTWAIT, nullptr);
    if (count < 0 && errno == EAGAIN) break;
  }
  if (count <= 0) return {};
  const auto size = static_cast<size_t>(count);
  for (size_t i = 0; i < size; ++i) {
    msghdr& header = free[i].msg_hdr;
    ReceivedRun& run = runs_[i];
    run.bytes = {static_cast<uint8_t*>(header.msg_iov->iov_base), free[i].msg_len};
    run.from = FromSocketAddress(addresses_[used_ + i]);
    ReadControl(header, socket, run);
    header.msg_namelen = sizeof(SocketAddress);
    header.msg_controllen = sizeof(Control);
  }
  used_ += size;
  return {std::span(runs_).first(size), size == limit};
}

void ReceiveBatch::ReadControl(msghdr& header, UdpSocket& socket, ReceivedRun& run) {
  run.segment = 0;
  run.to.reset();
  if (header.msg_controllen == 0) return;
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
      // ipi_spec_dst is an address of this host also when the datagram was broadcast.
      run.to = FromInAddr(ReadPayload<in_pktinfo>(*control).ipi_spec_dst);
    } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
      run.to = FromIn6Addr(ReadPayload<in6_pktinfo>(*control).ipi6_addr);
    } else if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_GRO) {
      run.segment = static_cast<size_t>(std::max(0, ReadPayload<int>(*control)));
    } else if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_RXQ_OVFL) {
      // A running 32-bit count that wraps; the difference does not care.
      const auto drops = ReadPayload<uint32_t>(*control);
      Counter& overflows = socket.overflows != nullptr ? *socket.overflows : overflows_;
      overflows.Add(static_cast<uint32_t>(drops - socket.drops_seen));
      socket.drops_seen = drops;
    }
  }
}

}  // namespace turnpike
