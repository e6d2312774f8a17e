// The driver's part for TCP allocations (RFC 6062): from outputs to sockets and back.
#include <utility>

#include "server/io/driver.h"

namespace turnpike {

std::optional<PeerStreamId> Driver::OnPeerAccepted(RelayId relay, const PeerAddress& peer) {
  return core_.OnPeerAccepted(relay, peer, now());
}

void Driver::OnPeerConnected(PeerStreamId stream, bool connected) {
  core_.OnPeerConnected(stream, connected, now());
}

MonoTime Driver::OnSpliced(PeerStreamId stream, Direction direction, size_t bytes) {
  return core_.OnSpliced(stream, direction, bytes, now());
}

void Driver::OnHalfClosed(PeerStreamId stream) { core_.OnHalfClosed(stream, now()); }

void Driver::OnPeerStreamClosed(PeerStreamId stream) { core_.OnPeerStreamClosed(stream, now()); }

void Driver::Execute(const ConnectPeer& output) {
  tcp_relays_.Connect(output.stream, output.from, output.to);
}

void Driver::Execute(const ClosePeer& output) { tcp_relays_.Close(output.stream); }

void Driver::Execute(const BindPeer& output) {
  StreamConnection* connection = streams_.Find(output.link);
  // A client that has gone since leaves its peer waiting until that is given up.
  if (connection != nullptr) connection->BecomeData(output.owner, output.stream);
}

void Driver::OnClientEnd(CoreId owner, ClientEnd end) {
  if (owner == core_.core_id()) return Adopt(std::move(end));
  Handover item(std::move(end));
  if (handovers_ == nullptr || !handovers_->Post(owner, std::move(item))) {
    // A board that refuses an item leaves it as it was.
    // cppcheck-suppress accessMoved
    // NOLINTNEXTLINE(bugprone-use-after-move)
    tcp_relays_.Refuse(std::get<ClientEnd>(std::move(item)));
  }
}

void Driver::OnHandovers() {
  for (Handover& each : handovers_->Take(core_.core_id())) {
    std::visit([this](auto&& item) { Receive(std::forward<decltype(item)>(item)); },
               std::move(each));
  }
}

void Driver::Adopt(ClientEnd end) {
  if (core_.OnHandedOver(end.stream, now())) {
    tcp_relays_.Bind(std::move(end));
  } else {
    tcp_relays_.Refuse(std::move(end));
  }
}

}  // namespace turnpike
