// A client's TCP socket.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <string_view>

#include "common/base/unique_fd.h"
#include "server/io/sockaddr.h"

namespace turnpike {

// TestStream connects to `server`; on loopback that needs nobody to accept.
class TestStream {
 public:
  explicit TestStream(const TransportAddress& server, int receive_buffer = 0)
      : fd_(socket(server.ip.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) {
      setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    SocketAddress address;
    const socklen_t size = ToSocketAddress(server, address);
    connected_ = connect(fd_.get(), &address.base, size) == 0;
  }

  // The other end of a connection that a TestListener took.
  explicit TestStream(UniqueFd accepted) : fd_(std::move(accepted)), connected_(fd_.valid()) {}

  bool connected() const { return connected_; }
  int fd() const { return fd_.get(); }

  bool Send(std::string_view bytes) {
    return send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }

  // TrySend sends what fits and never waits; it returns how much that was.
  size_t TrySend(std::string_view bytes) {
    const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? static_cast<size_t>(sent) : 0;
  }

  // EndSending closes this half of the connection; Close both.
  void EndSending() { shutdown(fd_.get(), SHUT_WR); }
  void Close() { fd_.Reset(); }

  // TryReceive takes what there is and never waits.
  std::string TryReceive() {
    std::array<char, 65536> buffer;
    const ssize_t got = recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    return got > 0 ? std::string(buffer.data(), static_cast<size_t>(got)) : std::string();
  }

  // IsClosed says whether the server has closed or reset the connection, after all data.
  bool IsClosed() {
    char byte = 0;
    const ssize_t got = recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno == ECONNRESET);
  }

  // Reset closes with RST.
  void Reset() {
    const linger abort{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
    fd_.Reset();
  }

 private:
  UniqueFd fd_;
  bool connected_ = false;
};

// TestListener is a peer that waits for connections.
class TestListener {
 public:
  explicit TestListener(const TransportAddress& bind_to)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    SocketAddress address;
    socklen_t size = ToSocketAddress(bind_to, address);
    bind(fd_.get(), &address.base, size);
    listen(fd_.get(), 8);
    getsockname(fd_.get(), &address.base, &size);
    address_ = FromSocketAddress(address);
  }

  const TransportAddress& address() const { return address_; }

  // TryAccept takes a connection that waits.
  TestStream TryAccept() { return TestStream(UniqueFd(accept(fd_.get(), nullptr, nullptr))); }

 private:
  UniqueFd fd_;
  TransportAddress address_;
};

}  // namespace turnpike
