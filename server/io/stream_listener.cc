#include "server/io/stream_listener.h"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "common/base/log.h"
#include "server/io/descriptor_reserve.h"
#include "server/io/stream_hub.h"
#include "server/io/tcp_socket.h"

namespace turnpike {
namespace {

// Connections per readiness event: a burst of them lets relayed data have its turn.
constexpr int kMaxAccepts = 32;
constexpr int kBacklog = 1024;  // the kernel caps it at net.core.somaxconn
constexpr std::chrono::seconds kPause{1};

std::string ListenFailure(const TransportAddress& address, int error) {
  std::string text = "cannot listen on tcp " + address.ToString() + ": " + std::strerror(error);
  if (error == EADDRINUSE) text += "; another program has this port";
  if (error == EACCES) text += "; ports below 1024 need the capability CAP_NET_BIND_SERVICE";
  if (error == EADDRNOTAVAIL) text += "; no interface of this host has this address";
  return text;
}

}  // namespace

std::expected<std::unique_ptr<StreamListener>, std::string> StreamListener::Open(
    uv_loop_t* loop, const StreamListenOptions& options, StreamHub& hub) {
  auto fd = OpenTcpSocket(options.address, true);
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
    auto accepted = AcceptTcp(fd_.get());
    if (!accepted) {
      if (accepted.error() != EAGAIN) Pause(accepted.error());
      return;
    }
    const int fd = accepted->fd.get();
    if (IsReserved(fd)) return Pause(EMFILE);
    TuneConnection(fd);
    const FiveTuple tuple{accepted->from, OwnAddress(fd), Transport::kTcp};
    hub_.Adopt(std::move(accepted->fd), tuple, options_);
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
  auto fd = OpenTcpSocket(address, false);
  // Bound is not enough: only listening fails where another socket listens with SO_REUSEADDR.
  if (fd && listen(fd->get(), 1) == 0) return {};
  return std::unexpected(ListenFailure(address, fd ? errno : fd.error()));
}

}  // namespace turnpike
