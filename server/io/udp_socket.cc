#include "server/io/udp_socket.h"

#include <netinet/udp.h>

#include <cerrno>

#include "common/base/check.h"
#include "server/io/sockaddr.h"

namespace turnpike {
namespace {

// SetRequired sets what the server relies on for being right, not for being fast.
bool SetRequired(int fd, bool is_v4, const UdpSocketOptions& options) {
  if (!is_v4 && !SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) return false;
  if (options.share_port && !SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1)) return false;
  if (!options.learn_destination) return true;
  return is_v4 ? SetOption(fd, IPPROTO_IP, IP_PKTINFO, 1)
               : SetOption(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

void SetTuning(int fd, bool is_v4, const UdpSocketOptions& options) {
  SetOption(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
  if (options.receive_buffer > 0) SetOption(fd, SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
  if (options.send_buffer > 0) SetOption(fd, SOL_SOCKET, SO_SNDBUF, options.send_buffer);
  if (options.receive_runs) SetOption(fd, IPPROTO_UDP, UDP_GRO, 1);
  if (options.queue_errors) {
    SetOption(fd, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_RECVERR : IPV6_RECVERR, 1);
  }
  // Without DF, large datagrams are fragmented rather than lost, and nobody's forged ICMP message
  // can shrink a path.
  if (is_v4) SetOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
}

}  // namespace

void UdpSocket::SetDontFragment(bool on, bool is_v4) {
  if (on == dont_fragment) return;
  dont_fragment = on;
  if (is_v4) {
    // PROBE sets DF and leaves the path's MTU to the client: with DO the kernel would refuse what
    // it takes for too large, and the client would not get the router's answer.
    SetOption(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER, on ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT);
  } else {
    SetOption(fd.get(), IPPROTO_IPV6, IPV6_DONTFRAG, on ? 1 : 0);
  }
}

std::expected<UdpSocket, int> OpenUdpSocket(const TransportAddress& bind,
                                            const UdpSocketOptions& options) {
  const bool is_v4 = bind.ip.is_v4();
  UdpSocket udp;
  udp.fd = UniqueFd(
      socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
  if (!udp.fd.valid()) return std::unexpected(errno);
  if (!SetRequired(udp.fd.get(), is_v4, options)) return std::unexpected(errno);
  SetTuning(udp.fd.get(), is_v4, options);
  SocketAddress address;
  const socklen_t size = ToSocketAddress(bind, address);
  if (::bind(udp.fd.get(), &address.base, size) != 0) return std::unexpected(errno);
  udp.learns_destination = options.learn_destination;
  return udp;
}

TransportAddress LocalAddress(const UdpSocket& socket) {
  SocketAddress address{};
  socklen_t size = sizeof(address);
  TP_CHECK(getsockname(socket.fd.get(), &address.base, &size) == 0);
  return FromSocketAddress(address);
}

bool HasIpv6() { return UniqueFd(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)).valid(); }

}  // namespace turnpike
