// The connection of one session's client to the server: a 5-tuple of its own.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/net/five_tuple.h"
#include "tools/load/send_queue.h"
#include "tools/load/socket.h"
#include "tools/load/tls_stream.h"
#include "tools/load/udp_receiver.h"

namespace turnpike::load {

class DtlsClientContext;

// LegTarget is where legs lead.
struct LegTarget {
  Transport transport = Transport::kUdp;
  TransportAddress server;
  std::string host;                       // for TLS and DTLS: the name that the server is asked for
  const TlsClientContext* tls = nullptr;  // set for TLS; outlives the legs
  const DtlsClientContext* dtls = nullptr;  // likewise for DTLS
};

// ClientLeg owns one socket. Over UDP it is open at once; otherwise when the handshakes are
// through.
class ClientLeg {
 public:
  // Open fails with a sentence.
  static std::expected<std::unique_ptr<ClientLeg>, std::string> Open(const LegTarget& target);
  virtual ~ClientLeg() = default;

  const UniqueFd& fd() const { return fd_; }

  virtual bool is_open() const = 0;

  // is_connected says that what lies below TLS is open.
  virtual bool is_connected() const { return is_open(); }

  // tls is the TLS session, or nullptr where there is none.
  virtual const TlsStream* tls() const { return nullptr; }

  // SendControl sends one message; it may wait in a stream's buffer.
  virtual void SendControl(ByteSpan message) = 0;

  // SendBurst sends the first of the messages, which lie one behind the other in `bytes`, and
  // returns how many it took. A stream whose server does not read takes no more than its buffer
  // holds. Never of plain UDP: those go to UdpSender, with what other sockets send.
  virtual size_t SendBurst(std::span<const Item> items, ByteSpan bytes) = 0;

  // OnSendError hears of an error that UdpSender met: the next Receive says it.
  virtual void OnSendError(int) {}

  // OnTimer is called every now and then until the leg is open: a handshake over datagrams repeats
  // what was lost.
  virtual void OnTimer() {}

  // OnEvents handles what epoll said, apart from what can be read. It fails with a sentence when
  // the connection is gone.
  virtual std::expected<void, std::string> OnWritable() = 0;

  // Receive hands every message that has arrived to `sink`. It fails with a sentence when the
  // connection is gone.
  virtual std::expected<void, std::string> Receive(UdpReceiver& receiver, Duration wall_to_mono,
                                                   MonoTime now, MessageSink& sink) = 0;

  // Close says goodbye where the transport has a word for it.
  virtual void Close() {}

 protected:
  // OpenUdpTo opens a datagram socket that is connected to `server`. It fails with a sentence.
  static std::expected<UniqueFd, std::string> OpenUdpTo(const TransportAddress& server);
  // ReceiveError renders what a datagram socket met; `name` is that of server and transport.
  static std::string ReceiveError(int error, const std::string& name);

  explicit ClientLeg(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace turnpike::load
