#include "server/io/stream_listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "common/base/log.h"
#include "server/io/sockaddr.h"
#include "server/io/stream_hub.h"

namespace turnpike {
namespace {

// Connections per readiness event: a burst of them lets relayed data have its turn.
constexpr int kMaxAccepts = 32;
constexpr int kBacklog = 1024;  // the kernel caps it at net.core.somaxconn
constexpr std::chrono::seconds kPause{1};

void SetOption(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof(value));
}

std::string ListenFailure(const TransportAddress& address, int error) {
  std::string text = "cannot listen on tcp " + address.ToString() + ": " + std::strerror(error);
  if (error == EADDRINUSE) text += "; another program has this port";
  if (error == EACCES) text += "; ports below 1024 need the capability CAP_NET_BIND_SERVICE";
  if (error == EADDRNOTAVAIL) text += "; no interface of this host has this address";
  return text;
}

// OpenBound opens a TCP socket bound to `address`; it fails with errno.
std::expected<UniqueFd, int> OpenBound(const TransportAddress& address, bool share_port) {
  const bool is_v4 = address.ip.is_v4();
  UniqueFd fd(socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return std::unexpected(errno);
  if (!is_v4) SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  // Connections of an earlier process that are in TIME_WAIT are no reason not to start.
  SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (share_port) SetOption(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  SocketAddress bound;
  const socklen_t size = ToSocketAddress(address, bound);
  if (bind(fd.get(), &bound.base, size) != 0) return std::unexpected(errno);
  return fd;
}

// SetUpConnection makes messages leave at once, and a client that vanished be noticed.
void SetUpConnection(int fd) {
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
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

std::expected<std::unique_ptr<StreamListener>, std::string> StreamListener::Open(
    uv_loop_t* loop, const StreamListenOptions& options, StreamHub& hub) {
  auto fd = OpenBound(options.address, true);
  if (!fd) return std::unexpected(ListenFailure(options.address, fd.error()));
  if (listen(fd->get(), kBacklog) != 0) {
    return std::unexpected(ListenFailure(options.address, errno));
  }
  std::unique_ptr<StreamListener> listener(new StreamListener(loop, options, hub));
  listener->options_.address = OwnAddress(fd->get());
  listener->fd_ = std::move(*fd);
  auto poll = UvPoll::Watch(loop, listener->fd_.get(), listener.get());
  if (!poll) return std::unexpected(ListenFailure(options.address, -poll.error()));
  listener->poll_ = std::move(*poll);
  return listener;
}

void StreamListener::OnReadable() {
  for (int i = 0; i < kMaxAccepts; ++i) {
    SocketAddress from{};
    socklen_t size = sizeof(from);
    UniqueFd fd(accept4(fd_.get(), &from.base, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.valid()) {
      if (errno == EAGAIN) return;
      if (ConcernsConnection(errno)) continue;
      return Pause(errno);
    }
    SetUpConnection(fd.get());
    const FiveTuple tuple{FromSocketAddress(from), OwnAddress(fd.get()), Transport::kTcp};
    hub_.Adopt(std::move(fd), tuple, options_);
  }
}

void StreamListener::Pause(int error) {
  poll_.reset();
  resume_at_ = hub_.host().now().mono + kPause;
  hub_.CountAcceptPause();
  Log(LogLevel::kWarning, "accept_paused",
      {{"address", options_.address.ToString()}, {"error", std::strerror(error)}});
}

void StreamListener::Resume() {
  resume_at_.reset();
  auto poll = UvPoll::Watch(loop_, fd_.get(), this);
  if (!poll) return Pause(-poll.error());
  poll_ = std::move(*poll);
}

std::expected<void, std::string> CheckTcpAddressFree(const TransportAddress& address) {
  auto fd = OpenBound(address, false);
  // Bound is not enough: only listening fails where another socket listens with SO_REUSEADDR.
  if (fd && listen(fd->get(), 1) == 0) return {};
  return std::unexpected(ListenFailure(address, fd ? errno : fd.error()));
}

}  // namespace turnpike
