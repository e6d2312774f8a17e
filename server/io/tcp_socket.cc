#include "server/io/tcp_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "server/io/sockaddr.h"

namespace turnpike {
namespace {

// What may wait in the kernel unsent. Without this bound a client that does not read makes the
// kernel keep net.ipv4.tcp_wmem's 4 MB, and a few hundred of them use up the TCP memory of the
// whole host. It is some milliseconds of a gigabit: what is on its way, unacknowledged, does not
// count.
constexpr int kMostUnsent = 128 << 10;

// Concerns says whether an error of accept is about the connection, not about this host.
bool ConcernsConnection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:  // a firewall rule forbids this one
      return true;
    default:
      return false;
  }
}

}  // namespace

std::expected<UniqueFd, int> OpenTcpSocket(const TransportAddress& address, bool share_port) {
  const bool is_v4 = address.ip.is_v4();
  UniqueFd fd(socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return std::unexpected(errno);
  if (!is_v4) SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  // Connections of an earlier process that are in TIME_WAIT are no reason not to start.
  SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (share_port) SharePort(fd.get());
  SocketAddress bound;
  const socklen_t size = ToSocketAddress(address, bound);
  if (bind(fd.get(), &bound.base, size) != 0) return std::unexpected(errno);
  return fd;
}

void SharePort(int fd) { SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1); }

std::expected<AcceptedTcp, int> AcceptTcp(int listener) {
  while (true) {
    SocketAddress from{};
    socklen_t size = sizeof(from);
    UniqueFd fd(accept4(listener, &from.base, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.valid()) return AcceptedTcp{std::move(fd), FromSocketAddress(from)};
    if (!ConcernsConnection(errno)) return std::unexpected(errno);
  }
}

void TuneConnection(int fd) {
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kMostUnsent);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

TransportAddress OwnAddress(int fd) {
  SocketAddress own{};
  socklen_t size = sizeof(own);
  if (getsockname(fd, &own.base, &size) != 0) return {};
  return FromSocketAddress(own);
}

std::expected<size_t, int> SendSome(int fd, std::span<const iovec> vectors) {
  msghdr header{};
  header.msg_iov = const_cast<iovec*>(vectors.data());  // only read
  header.msg_iovlen = vectors.size();
  while (true) {
    const ssize_t sent = sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) return static_cast<size_t>(sent);
    if (sent < 0 && errno == EINTR) continue;
    return std::unexpected(sent < 0 && errno != ENOBUFS ? errno : EAGAIN);
  }
}

}  // namespace turnpike
