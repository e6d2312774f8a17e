// A TransportHost and ForwardReports that remember what they were told, for tests of one transport.
#pragma once

#include <fcntl.h>
#include <sys/time.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/counter.h"
#include "server/io/outbox.h"
#include "server/io/sockaddr.h"
#include "server/io/transport.h"
#include "server/io/udp_socket.h"

namespace turnpike {

class FakeHost final : public TransportHost {
 public:
  struct FromClient {
    Client client;
    std::string bytes;
  };
  struct FromPeer {
    RelayId relay;
    PeerAddress peer;
    std::string bytes;
  };

  ReceiveBatch& receive_batch() override { return batch_; }
  void OnClientMessage(const Client& client, ByteSpan bytes) override {
    from_clients.push_back({client, std::string(AsText(bytes))});
  }
  void OnPeerDatagram(RelayId relay, const PeerAddress& peer, ByteSpan bytes) override {
    from_peers.push_back({relay, peer, std::string(AsText(bytes))});
  }
  void OnBatchEnd() override {
    ++batches;
    batch_.Reset();
  }

  std::vector<FromClient> from_clients;
  std::vector<FromPeer> from_peers;
  int batches = 0;
  Counter overflows;

 private:
  ReceiveBatch batch_{overflows};
};

class FakeReports final : public ForwardReports {
 public:
  void OnForwardSent(const Forward& forward, SendResult result) override {
    reports.emplace_back(std::string(AsText(forward.payload)), result);
  }

  std::vector<std::pair<std::string, SendResult>> reports;
};

// Address parses a literal of a test.
inline TransportAddress Address(std::string_view text) { return *TransportAddress::Parse(text); }

// TestSocket is the other end: a plain blocking UDP socket that gives up after five seconds.
class TestSocket {
 public:
  struct Datagram {
    std::string bytes;
    TransportAddress from;
  };

  explicit TestSocket(const TransportAddress& bind) : socket_(*OpenUdpSocket(bind, {})) {
    const int fd = socket_.fd.get();
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    const timeval limit{.tv_sec = 5, .tv_usec = 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    address_ = LocalAddress(socket_);
  }

  void Send(std::string_view bytes, const TransportAddress& to) {
    SocketAddress target;
    const socklen_t size = ToSocketAddress(to, target);
    sendto(socket_.fd.get(), bytes.data(), bytes.size(), 0, &target.base, size);
  }

  // Receive returns the next datagram; an empty one from port 0 when none came in time.
  Datagram Receive() {
    std::string bytes(65536, '\0');
    SocketAddress from{};
    socklen_t size = sizeof(from);
    const ssize_t got =
        recvfrom(socket_.fd.get(), bytes.data(), bytes.size(), 0, &from.base, &size);
    if (got < 0) return {};
    bytes.resize(static_cast<size_t>(got));
    return {bytes, FromSocketAddress(from)};
  }

  const TransportAddress& address() const { return address_; }

 private:
  UdpSocket socket_;
  TransportAddress address_;
};

}  // namespace turnpike
