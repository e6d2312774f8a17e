// A client's TCP socket.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <string_view>

#include "server/io/sockaddr.h"
#include "server/io/unique_fd.h"

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

  bool connected() const { return connected_; }
  int fd() const { return fd_.get(); }

  bool Send(std::string_view bytes) {
    return send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }

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

}  // namespace turnpike
