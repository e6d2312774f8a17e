// The wires of the simulated world: what is lost, doubled, late, or out of order on them.
#include <algorithm>
#include <chrono>

#include "tests/sim/sim_world.h"

namespace turnpike::sim {

using namespace std::chrono_literals;

namespace {

std::vector<uint8_t> ToVector(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace

void SimWorld::Carry(std::function<void()> deliver) {
  if (dice_.Percent(loss_percent_)) return;
  if (dice_.Percent(duplicate_percent_)) After(dice_.Milliseconds(1, 2000), deliver);
  After(dice_.Milliseconds(1, dice_.Percent(95) ? 60 : 5000), std::move(deliver));
}

FiveTuple SimWorld::TupleOf(const SimClient& client) const {
  const bool secure =
      client.transport() == Transport::kTls || client.transport() == Transport::kDtls;
  const auto port = static_cast<uint16_t>(secure ? 5349 : 3478);
  return {.client = client.address(),
          .server = {*IpAddress::Parse("10.0.0.5"), port},
          .transport = client.transport()};
}

SimClient* SimWorld::FindClient(LinkId link) {
  for (const auto& client : clients_) {
    if (client->transport() != Transport::kUdp && client->link() == link) return client.get();
  }
  return nullptr;
}

SimClient* SimWorld::FindClient(Transport transport, const TransportAddress& address) {
  for (const auto& client : clients_) {
    if (client->transport() == transport && client->address() == address) return client.get();
  }
  return nullptr;
}

void SimWorld::ToClient(LinkId link, const TransportAddress& address, Bytes message) {
  SimClient* client = FindClient(link);
  if (client == nullptr) client = FindClient(Transport::kUdp, address);
  if (client == nullptr) return;  // it has gone
  auto deliver = [client, link = client->link(), address, bytes = ToVector(message)] {
    if (client->link() == link && client->address() == address) client->OnMessage(bytes);
  };
  if (IsStream(client->transport())) {
    After(5ms, std::move(deliver));  // the same delay for all: in order
  } else {
    Carry(std::move(deliver));
  }
}

void SimWorld::ToServer(SimClient& client, std::vector<uint8_t> message) {
  if (!client.connected()) return;
  const FiveTuple tuple = TupleOf(client);
  const LinkId link = client.link();
  if (!IsStream(client.transport())) {
    return Carry([this, tuple, link, bytes = std::move(message)] {
      if (server_ == nullptr) return;
      if (tuple.transport == Transport::kUdp) return server_->OnDatagram(tuple, bytes);
      server_->OnLinkBytes(link, bytes);
    });
  }
  // A stream comes in pieces, in order: a piece is never faster than the one before.
  const size_t cut =
      dice_.Percent(70) ? message.size() : dice_.Below(static_cast<uint32_t>(message.size()) + 1);
  for (const auto piece : {Bytes(message).first(cut), Bytes(message).subspan(cut)}) {
    if (piece.empty()) continue;
    After(5ms, [this, link, bytes = ToVector(piece)] {
      if (server_ != nullptr) server_->OnLinkBytes(link, bytes);
    });
  }
}

void SimWorld::Connect(SimClient& client) {
  if (client.connected()) Disconnect(client);
  client.Forget();
  NewPlace(client);
}

void SimWorld::NewPlace(SimClient& client) {
  const auto ip = *IpAddress::Parse(dice_.Percent(80) ? "198.18.0.9" : "2a00:1450::9");
  const LinkId link(next_link_++);
  client.SetAddress({ip, next_client_port_++}, link);
  if (client.transport() == Transport::kUdp || server_ == nullptr) return;
  server_->OpenLink(link, TupleOf(client));
}

// Move breaks the old connection before the new one is made, soon after, or never tells.
void SimWorld::Move(SimClient& client) {
  const LinkId old = client.link();
  if (client.transport() != Transport::kUdp) {
    if (dice_.Percent(30) && server_ != nullptr) server_->CloseLink(old);
    After(dice_.Milliseconds(1, 3000), [this, old] {
      if (server_ != nullptr) server_->CloseLink(old);
    });
  }
  NewPlace(client);
}

void SimWorld::Disconnect(SimClient& client) {
  const bool had_link = client.transport() != Transport::kUdp && client.connected();
  client.OnDisconnected();
  if (had_link && server_ != nullptr) server_->CloseLink(client.link());
}

void SimWorld::Disconnected(LinkId link) {
  if (SimClient* client = FindClient(link)) client->OnDisconnected();
}

LinkId SimWorld::OpenData(SimClient& client, std::vector<uint8_t> bind, std::vector<uint8_t> data) {
  const LinkId link(next_link_++);
  FiveTuple tuple = TupleOf(client);
  tuple.client.port = next_client_port_++;
  if (server_ != nullptr) server_->OpenLink(link, tuple);
  SendData(link, std::move(bind));
  if (!data.empty()) SendData(link, std::move(data));
  return link;
}

void SimWorld::SendData(LinkId link, std::vector<uint8_t> data) {
  After(5ms, [this, link, bytes = std::move(data)] {
    if (server_ != nullptr) server_->OnLinkBytes(link, bytes);
  });
}

void SimWorld::CloseData(LinkId link) {
  if (server_ != nullptr) server_->CloseLink(link);
}

void SimWorld::Forge(SimClient& client, std::vector<uint8_t> message) {
  FiveTuple tuple = TupleOf(client);
  tuple.transport = Transport::kUdp;
  tuple.client.port = static_cast<uint16_t>(tuple.client.port + (dice_.Percent(50) ? 7777 : 1));
  Carry([this, tuple, bytes = std::move(message)] {
    if (server_ != nullptr) server_->OnDatagram(tuple, bytes);
  });
}

TransportAddress SimWorld::AnyPeer() {
  const uint32_t choice = dice_.Below(20);
  if (choice == 0) return {*IpAddress::Parse("127.0.0.1"), 53};
  if (choice == 1) return {*IpAddress::Parse("169.254.169.254"), 80};
  // Two clients of one relay meet at its own addresses.
  if (choice < 6 && !relayed_.empty()) return dice_.Pick(relayed_);
  return dice_.Pick(peers_);
}

void SimWorld::Relayed(const TransportAddress& address) {
  if (std::ranges::find(relayed_, address) == relayed_.end()) relayed_.push_back(address);
}

void SimWorld::PeerToRelay(const TransportAddress& peer, TransportAddress relay,
                           std::vector<uint8_t> datagram) {
  // The 1:1 NAT in front of the server.
  const RelayAddress& v4 = settings_.options.relay_addresses.front();
  if (relay.ip == v4.advertise) relay.ip = v4.bind;
  Carry([this, peer, relay, bytes = std::move(datagram)] {
    if (server_ != nullptr) server_->OnPeerDatagram(relay, peer, bytes);
  });
}

void SimWorld::ToPeer(const TransportAddress& from, const TransportAddress& to, Bytes datagram) {
  for (const RelayAddress& own : settings_.options.relay_addresses) {
    // To the advertised address it would have to turn round at the NAT, which few of them allow.
    if (to.ip == own.bind) return PeerToRelay(from, to, ToVector(datagram));
  }
  if (std::ranges::find(peers_, to) == peers_.end()) {
    return Problem("a datagram went to " + to.ToString() + ", which does not answer");
  }
  // A peer that echoes, changed, some of what it gets.
  for (uint32_t answers = dice_.Below(3); answers > 0; --answers) {
    auto bytes = ToVector(datagram);
    if (!bytes.empty()) bytes[0] = static_cast<uint8_t>(bytes[0] + answers);
    if (dice_.Percent(20)) bytes.resize(bytes.size() / 2);
    PeerToRelay(to, from, std::move(bytes));
  }
}

void SimWorld::Announced(const SessionInfo& info) {
  SimClient* client = FindClient(info.transport, info.client);
  if (client == nullptr) return;  // it has moved on since
  const Login& login = client->login();
  if (info.username != login.username || info.account != login.account ||
      info.label != login.label) {
    Problem("a session of " + login.username + " is billed to '" + info.account + "'");
  }
}

void SimWorld::Problem(std::string what) {
  if (problem_.empty()) problem_ = std::move(what);
}

}  // namespace turnpike::sim
