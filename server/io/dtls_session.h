// One client's DTLS session, without a socket: datagrams in, messages out, and the other way round.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/time.h"
#include "common/metering/usage.h"
#include "server/io/dtls_cookie.h"

struct gnutls_session_int;

namespace turnpike {

class DtlsContext;

// DtlsSession is the server's end, from the ClientHello with a valid cookie on. It never waits.
class DtlsSession {
 public:
  using Datagram = std::vector<uint8_t>;

  enum class Status : uint8_t {
    kMessage,  // `size` bytes of one record
    kNothing,  // all that was fed is dealt with
    kClosed,   // the client said close_notify
    kFailed,   // no common parameters, a wrong Finished, a fatal alert
  };

  struct Received {
    Status status = Status::kNothing;
    size_t size = 0;
  };

  // `hello` is the ClientHello whose datagram is fed first. The context outlives the session.
  DtlsSession(const DtlsContext& context, const DtlsHello& hello);
  ~DtlsSession();
  DtlsSession(const DtlsSession&) = delete;
  DtlsSession& operator=(const DtlsSession&) = delete;

  // Feed hands in one datagram, whose bytes must stay as they are until Receive.
  void Feed(ByteSpan datagram) { input_ = datagram; }

  // Receive goes on with the handshake, or returns the next record's plaintext in `room`, which may
  // be where the datagram was: it is read whole before anything is written. Records that are
  // forged, replayed or out of place are dropped without a word (RFC 6347 §4.1.2.7). Call it until
  // it returns something else than kMessage.
  Received Receive(std::span<uint8_t> room);

  // Seal makes the datagram that carries `message`, in one record. It fails with kTooLarge when no
  // record holds it, and with kSendFailed before the handshake is through or after a failure.
  std::expected<Datagram, DropReason> Seal(ByteSpan message);

  // Shutdown puts a close_notify into the output.
  void Shutdown();

  // TakeOutput returns the datagrams of handshake and alerts that wait to be sent, in order.
  std::vector<Datagram> TakeOutput();

  bool is_established() const { return is_established_; }

  // hello_random tells a retransmitted ClientHello from a new handshake's.
  const std::array<uint8_t, 32>& hello_random() const { return hello_random_; }

  // RetransmitIn returns when OnTimer has to be called unless the client answers first; nullopt
  // once the handshake is through. OnTimer sends the last flight again.
  std::optional<Duration> RetransmitIn() const;
  Status OnTimer();

 private:
  struct Io;  // what GnuTLS calls
  friend struct Io;
  struct Free {
    void operator()(gnutls_session_int* session) const;
  };

  Status Handshake();
  Received Next(std::span<uint8_t> room);

  std::unique_ptr<gnutls_session_int, Free> session_;
  ByteSpan input_;
  std::vector<Datagram> output_;
  bool is_established_ = false;
  bool has_failed_ = false;
  std::array<uint8_t, 32> hello_random_;
};

}  // namespace turnpike
