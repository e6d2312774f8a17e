// TCP connections with peers (RFC 6062) on the fake kernel.
#include <algorithm>

#include "tests/sim/sim_server.h"

namespace turnpike::sim {

SimServer::Worker& SimServer::WorkerOfCore(CoreId core) {
  return *std::ranges::find_if(
      workers_, [&](const Worker& worker) { return worker.core->core_id() == core; });
}

void SimServer::Execute(Worker& worker, const ConnectPeer& connect) {
  MaybeDie();
  const auto socket = sockets_.find(connect.from);
  if (socket == sockets_.end() || socket->second.protocol != RelayProtocol::kTcp) {
    return wires_.Problem("a connection from an address that does not listen");
  }
  worker.peers[connect.stream] = {.session = worker.session_of.at(socket->second.relay),
                                  .is_connecting = true};
  if (dice_.Percent(30)) FinishConnect(worker, connect.stream, dice_.Percent(80));
}

void SimServer::Execute(Worker& worker, const ClosePeer& close) {
  MaybeDie();
  const auto node = worker.peers.extract(close.stream);
  if (node.empty()) return wires_.Problem("a peer connection was closed that was not open");
  if (node.mapped().link) links_.erase(*node.mapped().link);
}

void SimServer::Execute(Worker& worker, const BindPeer& bind) {
  MaybeDie();
  const auto found = links_.find(bind.link);
  if (found == links_.end()) return;
  if (&workers_[found->second.worker] != &worker) wires_.Problem("another worker's connection");
  found->second.stream = bind.stream;
  found->second.owner = bind.owner;
  on_their_way_.push_back(bind.link);
  if (dice_.Percent(50)) Arrive(bind.link);
}

// Arrive brings a client's end to the worker that owns its stream.
void SimServer::Arrive(LinkId link) {
  std::erase(on_their_way_, link);
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  const PeerStreamId stream = *found->second.stream;
  Worker& owner = WorkerOfCore(found->second.owner);
  const bool is_open = owner.peers.contains(stream);
  if (owner.core->OnHandedOver(stream, timeline_.now()) != is_open) {
    wires_.Problem("the core and the kernel disagree about a peer connection");
  }
  if (!is_open) {
    links_.erase(link);
    return;
  }
  owner.peers.at(stream).link = link;
  Splice(owner, stream);
}

void SimServer::FinishConnect(Worker& worker, PeerStreamId stream, bool connected) {
  worker.peers.at(stream).is_connecting = false;
  if (!connected) worker.peers.erase(stream);
  worker.core->OnPeerConnected(stream, connected, timeline_.now());
}

// Accept lets `peer` connect to some listening relay.
void SimServer::Accept(const TransportAddress& peer) {
  std::vector<Socket> listening;
  for (const auto& [bind, socket] : sockets_) {
    const bool same_family = bind.ip.family() == peer.ip.family();
    if (socket.protocol == RelayProtocol::kTcp && same_family) listening.push_back(socket);
  }
  if (listening.empty()) return;
  const Socket socket = dice_.Pick(listening);
  Worker& worker = workers_[socket.worker];
  const auto stream = worker.core->OnPeerAccepted(socket.relay, PeerAddress(peer), timeline_.now());
  if (!stream) return;
  const std::string& session = worker.session_of.at(socket.relay);
  const auto ip = peer.ip.bytes();
  if (!permissions_.MayRelay(session, {ip.begin(), ip.end()}, false, mono_us())) {
    wires_.Problem("the connection of a peer without permission was kept");
  }
  worker.peers[*stream] = {.session = session};
}

void SimServer::StepStreams(const std::vector<TransportAddress>& peers) {
  if (!on_their_way_.empty() && dice_.Percent(70)) Arrive(on_their_way_.front());
  if (dice_.Percent(20)) Accept(dice_.Pick(peers));
  for (Worker& worker : workers_) {
    if (!worker.peers.empty()) {
      const auto nth = dice_.Below(static_cast<uint32_t>(worker.peers.size()));
      StepPeer(worker, std::next(worker.peers.begin(), nth)->first);
    }
    Flush(worker);
    Poll(worker);
  }
}

void SimServer::StepPeer(Worker& worker, PeerStreamId stream) {
  PeerSocket& peer = worker.peers.at(stream);
  if (peer.is_connecting) {
    if (dice_.Percent(50)) FinishConnect(worker, stream, dice_.Percent(70));
    return;
  }
  const uint32_t choice = dice_.Below(100);
  if (choice < 60) peer.waiting += dice_.Below(3000);  // also before anybody reads it
  if (!peer.link) return;
  Splice(worker, stream);
  if (choice < 97) return;
  if (std::exchange(peer.has_ended, true)) return EndPeer(worker, stream);
  worker.core->OnHalfClosed(stream, timeline_.now());
}

// Splice lets the kernel take what both sides sent, or a part of it.
void SimServer::Splice(Worker& worker, PeerStreamId stream) {
  PeerSocket& peer = worker.peers.at(stream);
  const auto take = [&](size_t direction, uint64_t available) -> uint64_t {
    if (available == 0 || dice_.Percent(10)) return 0;
    const uint64_t taken =
        dice_.Percent(70) ? available : 1 + dice_.Below(static_cast<uint32_t>(available));
    auditor_.TookStreamBytes(peer.session, direction, taken, now_us());
    worker.core->OnSpliced(stream, static_cast<Direction>(direction), taken, timeline_.now());
    return taken;
  };
  std::vector<uint8_t>& in = links_.at(*peer.link).in;
  in.erase(in.begin(), in.begin() + static_cast<ptrdiff_t>(take(0, in.size())));
  peer.waiting -= take(1, peer.waiting);
}

void SimServer::EndPeer(Worker& worker, PeerStreamId stream) {
  const auto node = worker.peers.extract(stream);
  if (node.mapped().link) links_.erase(*node.mapped().link);
  worker.core->OnPeerStreamClosed(stream, timeline_.now());
}

// DropLink is a client's end that the client closes, wherever it is.
void SimServer::DropLink(LinkId link) {
  const auto found = links_.find(link);
  const PeerStreamId stream = *found->second.stream;
  Worker& owner = WorkerOfCore(found->second.owner);
  const auto peer = owner.peers.find(stream);
  if (peer == owner.peers.end() || peer->second.link != link) {
    links_.erase(found);  // nobody has it yet: the stream waits in vain
    return;
  }
  Splice(owner, stream);
  EndPeer(owner, stream);
  Poll(owner);
}

}  // namespace turnpike::sim
