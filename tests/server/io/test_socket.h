// The other end in tests with real sockets: a peer's or a client's.
#pragma once

#include <poll.h>

#include <optional>
#include <string>
#include <string_view>

#include "server/io/sockaddr.h"
#include "server/io/udp_socket.h"

namespace turnpike {

// Address parses a literal of a test.
inline TransportAddress Address(std::string_view text) { return *TransportAddress::Parse(text); }

// TestSocket is a plain UDP socket.
class TestSocket {
 public:
  struct Datagram {
    std::string bytes;
    TransportAddress from;
  };

  explicit TestSocket(const TransportAddress& bind)
      : socket_(*OpenUdpSocket(bind, {.receive_buffer = 1 << 20})),
        address_(LocalAddress(socket_)) {}

  void Send(std::string_view bytes, const TransportAddress& to) {
    SocketAddress target;
    const socklen_t size = ToSocketAddress(to, target);
    sendto(socket_.fd.get(), bytes.data(), bytes.size(), 0, &target.base, size);
  }

  // Await waits until there is something to receive; false after five seconds without.
  bool Await() {
    pollfd fd{.fd = socket_.fd.get(), .events = POLLIN, .revents = 0};
    return poll(&fd, 1, 5000) == 1;
  }

  // TryReceive returns the next datagram, or nullopt when none is there.
  std::optional<Datagram> TryReceive() {
    std::string bytes(65536, '\0');
    SocketAddress from{};
    socklen_t size = sizeof(from);
    const ssize_t got =
        recvfrom(socket_.fd.get(), bytes.data(), bytes.size(), 0, &from.base, &size);
    if (got < 0) return std::nullopt;
    bytes.resize(static_cast<size_t>(got));
    return Datagram{bytes, FromSocketAddress(from)};
  }

  // Receive waits for the next datagram; an empty one from port 0 when none came in time.
  Datagram Receive() {
    if (!Await()) return {};
    return TryReceive().value_or(Datagram{});
  }

  const TransportAddress& address() const { return address_; }

 private:
  UdpSocket socket_;
  TransportAddress address_;
};

}  // namespace turnpike
