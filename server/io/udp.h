// The UDP transport to clients.
#pragma once

#include <uv.h>

#include <expected>
#include <memory>
#include <string>

#include "common/net/transport_address.h"
#include "server/io/transport.h"
#include "server/io/udp_socket.h"
#include "server/io/uv.h"

namespace turnpike {

// kListenerBuffer is how much may wait for a listener, in bytes: at 100,000 datagrams a second it
// bridges a few hundredths of a second. The kernel caps it at net.core.rmem_max.
inline constexpr int kListenerBuffer = 4 << 20;

class DtlsHub;

// UdpListenOptions is one listening port and what is spoken there. Where both are, the first byte
// of a datagram tells (RFC 7983 §7).
struct UdpListenOptions {
  UdpListenOptions(const TransportAddress& where, bool speaks_plain = true,
                   bool speaks_dtls = false)
      : address(where), plain(speaks_plain), dtls(speaks_dtls) {}

  TransportAddress address;
  bool plain;
  bool dtls;

  friend constexpr bool operator==(const UdpListenOptions&, const UdpListenOptions&) = default;
};

// UdpListener is one worker's socket on a listening address. Other workers have sockets on the same
// address (SO_REUSEPORT): the kernel's hash leads a client always to the same one.
class UdpListener final : public Link {
 public:
  // Open binds `address`; on a wildcard address it learns which own address each datagram asked,
  // and answers from there. `host` and `dtls`, which a listener with `dtls` needs, are not
  // owned. It fails with a sentence that names the address.
  static std::expected<std::unique_ptr<UdpListener>, std::string> Open(
      uv_loop_t* loop, const UdpListenOptions& options, LinkId link, TransportHost& host,
      DtlsHub* dtls = nullptr);

  UdpSocket& udp_socket() override { return socket_; }

  const TransportAddress& address() const override { return options_.address; }

  // OnReadable receives batches and hands them to the host.
  void OnReadable();

 private:
  UdpListener(const UdpListenOptions& options, LinkId link, TransportHost& host, DtlsHub* dtls)
      : link_(link), host_(host), dtls_(dtls), options_(options) {}
  void Take(const ReceivedRun& run);

  LinkId link_;
  TransportHost& host_;
  DtlsHub* dtls_;
  UdpListenOptions options_;  // with the address that the socket is bound to
  UdpSocket socket_;
  std::unique_ptr<UvPoll> poll_;  // before socket_ is closed, watching must end
};

// CheckUdpAddressFree says whether anybody holds `address`, with a sentence if so. SO_REUSEPORT
// would let a second server of the same user join in and take half of the clients.
std::expected<void, std::string> CheckUdpAddressFree(const TransportAddress& address);

}  // namespace turnpike
