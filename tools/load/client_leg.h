// The connection of one session's client to the server: a 5-tuple of its own.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/net/five_tuple.h"
#include "tools/load/burst.h"
#include "tools/load/socket.h"
#include "tools/load/tls_stream.h"
#include "tools/load/udp_io.h"

namespace turnpike::load {

// LegTarget is where legs lead.
struct LegTarget {
  Transport transport = Transport::kUdp;
  TransportAddress server;
  std::string host;                       // for TLS: the name that the server is asked for
  const TlsClientContext* tls = nullptr;  // set for TLS; outlives the legs
};

// ClientLeg owns one socket. Over UDP it is open at once; a stream is open when the handshakes are
// through.
class ClientLeg {
 public:
  // Open fails with a sentence.
  static std::expected<std::unique_ptr<ClientLeg>, std::string> Open(const LegTarget& target);
  virtual ~ClientLeg() = default;

  const Fd& fd() const { return fd_; }

  virtual bool is_open() const = 0;

  // SendControl sends one message; it may wait in a stream's buffer.
  virtual void SendControl(ByteSpan message) = 0;

  // SendBurst sends the first of the burst's messages and returns how many it took. A stream whose
  // server does not read takes no more than its buffer holds.
  virtual size_t SendBurst(const Burst& burst) = 0;

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
  explicit ClientLeg(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
};

}  // namespace turnpike::load
