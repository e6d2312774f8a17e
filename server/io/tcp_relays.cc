#include "server/io/tcp_relays.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "common/base/check.h"
#include "common/base/log.h"
#include "server/io/connection_limits.h"
#include "server/io/descriptor_reserve.h"
#include "server/io/sockaddr.h"
#include "server/io/tcp_socket.h"

namespace turnpike {
namespace {

// Connections per readiness event: a burst of them lets relayed data have its turn.
constexpr int kMaxPeerAccepts = 16;
constexpr int kPeerBacklog = 64;
constexpr std::chrono::seconds kPeerPause{1};

}  // namespace

TcpRelays::TcpRelays(uv_loop_t* loop, PeerStreamHost& host, StreamStats& stats,
                     const StreamOptions& options)
    : loop_(loop), host_(host), stats_(stats), options_(options) {}

TcpRelays::~TcpRelays() {
  if (options_.limits == nullptr) return;
  for (const auto& [stream, peer] : peers_) {
    if (peer->splice == nullptr) continue;
    options_.limits->Release(peer->splice->client().five_tuple.client.ip);
  }
}

// ---- Listeners.

std::expected<void, OpenError> TcpRelays::Open(RelayId relay, const TransportAddress& bind) {
  // Bound alone, so that another program's listener is found out; then the address is shared with
  // the sockets of Connect, which Linux allows next to a listener only by SO_REUSEPORT.
  auto fd = OpenTcpSocket(bind, false);
  last_errno_ = fd ? 0 : fd.error();
  if (fd && IsReserved(fd->get())) {
    last_errno_ = EMFILE;
  } else if (fd && listen(fd->get(), kPeerBacklog) != 0) {
    last_errno_ = errno;
  }
  if (last_errno_ != 0) {
    return std::unexpected(last_errno_ == EADDRINUSE ? OpenError::kPortInUse
                                                     : OpenError::kNoResource);
  }
  SharePort(fd->get());
  auto listener = std::make_unique<Listener>(*this, relay, std::move(*fd));
  auto poll = UvPoll::Watch(loop_, listener->fd.get(), listener.get());
  if (!poll) {
    last_errno_ = -poll.error();
    return std::unexpected(OpenError::kNoResource);
  }
  listener->poll = std::move(*poll);
  listeners_[relay] = std::move(listener);
  return {};
}

void TcpRelays::Close(RelayId relay) {
  auto node = listeners_.extract(relay);
  if (node.empty()) return;
  node.mapped()->poll.reset();
  node.mapped()->fd = UniqueFd();
  gone_.push_back(std::move(node.mapped()));
}

void TcpRelays::Accept(Listener& listener) {
  for (int i = 0; i < kMaxPeerAccepts && listener.poll; ++i) {
    auto accepted = AcceptTcp(listener.fd.get());
    if (!accepted) {
      if (accepted.error() != EAGAIN) Pause(listener, accepted.error());
      return;
    }
    if (IsReserved(accepted->fd.get())) return Pause(listener, EMFILE);
    const auto stream = host_.OnPeerAccepted(listener.relay, PeerAddress(accepted->from));
    if (!stream) continue;  // closed by going out of scope
    TuneConnection(accepted->fd.get());
    peers_[*stream] = std::make_unique<Peer>(*this, *stream, std::move(accepted->fd));
  }
}

// Pause keeps peers that wait from keeping the loop busy while there are no descriptors for them.
void TcpRelays::Pause(Listener& listener, int error) {
  listener.poll.reset();
  if (!resume_at_) resume_at_ = host_.now().mono + kPeerPause;
  stats_.accept_pauses.Add(1);
  Log(LogLevel::kWarning, "accept_paused",
      {{"address", OwnAddress(listener.fd.get()).ToString()}, {"error", std::strerror(error)}});
}

std::optional<MonoTime> TcpRelays::NextDeadline() const {
  if (held_back_.empty()) return resume_at_;
  const MonoTime first = held_back_.begin()->first;
  return resume_at_ ? std::min(*resume_at_, first) : first;
}

void TcpRelays::OnTimer(MonoTime now) {
  while (!held_back_.empty() && held_back_.begin()->first <= now) {
    const auto [stream, direction] = held_back_.extract(held_back_.begin()).mapped();
    const auto peer = peers_.find(stream);
    if (peer != peers_.end() && peer->second->splice != nullptr) {
      peer->second->splice->Resume(direction);
    }
  }
  if (!resume_at_ || *resume_at_ > now) return;
  resume_at_.reset();
  for (const auto& [relay, listener] : listeners_) {
    if (listener->poll) continue;
    auto poll = UvPoll::Watch(loop_, listener->fd.get(), listener.get());
    if (poll) {
      listener->poll = std::move(*poll);
    } else {
      Pause(*listener, -poll.error());
    }
  }
}

// ---- Peers.

void TcpRelays::Connect(PeerStreamId stream, const TransportAddress& from,
                        const TransportAddress& to) {
  auto peer = Begin(stream, from, to);
  if (peer) {
    peers_[stream] = std::move(*peer);
  } else {
    host_.OnPeerConnected(stream, false);
  }
}

std::expected<std::unique_ptr<TcpRelays::Peer>, int> TcpRelays::Begin(PeerStreamId stream,
                                                                      const TransportAddress& from,
                                                                      const TransportAddress& to) {
  auto fd = OpenTcpSocket(from, true);
  if (!fd) return std::unexpected(fd.error());
  if (IsReserved(fd->get())) return std::unexpected(EMFILE);
  TuneConnection(fd->get());
  SocketAddress address;
  const socklen_t size = ToSocketAddress(to, address);
  if (connect(fd->get(), &address.base, size) != 0 && errno != EINPROGRESS) {
    return std::unexpected(errno);
  }
  auto peer = std::make_unique<Peer>(*this, stream, std::move(*fd));
  auto poll = UvStreamPoll::Watch(loop_, peer->fd.get(), peer.get());
  if (!poll) return std::unexpected(-poll.error());
  peer->poll = std::move(*poll);
  peer->poll->WatchFor(false, true);
  return peer;
}

void TcpRelays::FinishConnect(Peer& peer) {
  if (!peer.poll) return;
  peer.poll.reset();
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(peer.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    peer.fd = UniqueFd();
    dead_.push_back(std::move(peers_.extract(peer.stream).mapped()));
  }
  host_.OnPeerConnected(peer.stream, error == 0);
}

void TcpRelays::Close(PeerStreamId stream) {
  auto node = peers_.extract(stream);
  if (node.empty()) return;
  Peer& peer = *node.mapped();
  if (peer.splice != nullptr) {
    peer.splice->Stop();
    CountClient(peer.splice->client(), ConnectionEnd::kAllocationEnded, true);
  }
  peer.poll.reset();
  peer.fd = UniqueFd();
  dead_.push_back(std::move(node.mapped()));
}

// ---- Data connections.

void TcpRelays::Bind(ClientEnd end) {
  Peer& peer = *peers_.at(end.stream);
  TP_CHECK(peer.splice == nullptr && peer.fd.valid());
  Counter& gauge = stats_.connections[static_cast<size_t>(end.client.five_tuple.transport)];
  gauge.Set(gauge.Get() + 1);
  peer.splice = std::make_unique<Splice>(*this, std::move(peer.fd), std::move(end));
  if (!peer.splice->Start(loop_)) over_.push_back(peer.stream);
}

void TcpRelays::Refuse(ClientEnd end) {
  CountClient(end.client, ConnectionEnd::kAllocationEnded, false);
}

void TcpRelays::CountClient(const Client& client, ConnectionEnd end, bool was_open) {
  stats_.closed[static_cast<size_t>(end)].Add(1);
  if (options_.limits != nullptr) options_.limits->Release(client.five_tuple.client.ip);
  if (!was_open) return;
  Counter& gauge = stats_.connections[static_cast<size_t>(client.five_tuple.transport)];
  gauge.Set(gauge.Get() - 1);
}

bool TcpRelays::OnSpliced(PeerStreamId stream, Direction direction, size_t bytes) {
  const MonoTime resume_at = host_.OnSpliced(stream, direction, bytes);
  if (resume_at <= host_.now().mono) return true;
  held_back_.emplace(resume_at, std::pair(stream, direction));
  return false;
}

void TcpRelays::OnHalfClosed(PeerStreamId stream) { host_.OnHalfClosed(stream); }

void TcpRelays::OnSpliceOver(Splice& splice) { over_.push_back(splice.stream()); }

bool TcpRelays::Reap() {
  const bool any = !over_.empty();
  for (const PeerStreamId stream : std::exchange(over_, {})) {
    auto node = peers_.extract(stream);
    if (node.empty()) continue;  // closed in the same loop turn
    const Splice& splice = *node.mapped()->splice;
    CountClient(splice.client(), splice.end(), true);
    host_.OnPeerStreamClosed(stream);
  }
  dead_.clear();
  gone_.clear();
  return any;
}

}  // namespace turnpike
