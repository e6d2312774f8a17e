#include "server/io/receive_batch.h"

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

ReceiveBatch::ReceiveBatch(Counter& overflows)
    : overflows_(overflows),
      // Not value-initialised: untouched pages cost nothing.
      memory_(std::make_unique_for_overwrite<uint8_t[]>(kBuffers * kStride)) {
  for (size_t i = 0; i < kBatch; ++i) {
    msghdr& header = messages_[i].msg_hdr;
    header.msg_name = &addresses_[i];
    header.msg_iov = &vectors_[i];
    header.msg_iovlen = 1;
    header.msg_control = &controls_[i];
    header.msg_namelen = sizeof(SocketAddress);
    header.msg_controllen = sizeof(Control);
  }
}

std::span<const ReceivedDatagram> ReceiveBatch::Receive(UdpSocket& socket) {
  TP_DCHECK(has_room());
  for (size_t i = 0; i < kBatch; ++i) {
    vectors_[i] = {memory_.get() + (used_ + i) * kStride, kLargestDatagram};
  }
  int count = -1;
  // An error that an earlier send left on the socket is reported once and cleared by that; it must
  // not be mistaken for an empty socket.
  for (int attempt = 0; attempt < 3 && count < 0; ++attempt) {
    count = recvmmsg(socket.fd.get(), messages_.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (count < 0 && errno == EAGAIN) break;
  }
  if (count <= 0) return {};
  const auto size = static_cast<size_t>(count);
  for (size_t i = 0; i < size; ++i) {
    msghdr& header = messages_[i].msg_hdr;
    received_[i].bytes = {static_cast<const uint8_t*>(vectors_[i].iov_base), messages_[i].msg_len};
    received_[i].from = FromSocketAddress(addresses_[i]);
    received_[i].to = ReadControl(header, socket);
    header.msg_namelen = sizeof(SocketAddress);
    header.msg_controllen = sizeof(Control);
  }
  used_ += size;
  return std::span(received_).first(size);
}

std::optional<IpAddress> ReceiveBatch::ReadControl(msghdr& header, UdpSocket& socket) {
  std::optional<IpAddress> to;
  if (header.msg_controllen == 0) return to;
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
      // ipi_spec_dst is an address of this host also when the datagram was broadcast.
      to = FromInAddr(ReadPayload<in_pktinfo>(*control).ipi_spec_dst);
    } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
      to = FromIn6Addr(ReadPayload<in6_pktinfo>(*control).ipi6_addr);
    } else if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_RXQ_OVFL) {
      // A running 32-bit count that wraps; the difference does not care.
      const auto drops = ReadPayload<uint32_t>(*control);
      overflows_.Add(static_cast<uint32_t>(drops - socket.drops_seen));
      socket.drops_seen = drops;
    }
  }
  return to;
}

}  // namespace turnpike
