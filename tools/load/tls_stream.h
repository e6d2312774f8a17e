// The client's end of TLS, without a socket: ciphertext in, plaintext out, and the other way round.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "common/base/bytes.h"

struct ssl_st;
struct ssl_ctx_st;

namespace turnpike::load {

// TlsClientOptions are those of a client; the defaults are the load generator's.
struct TlsClientOptions {
  // Verify certificates, against the authorities of this PEM file. A handshake succeeds all the
  // same; TlsPeerOf (tls_peer.h) tells what is wrong. Empty: nothing is verified, since a generator
  // measures its own server, which often has a self-signed certificate.
  std::string authorities;
  bool only_tls12 = false;  // offer no TLS 1.3
};

// TlsClientContext is what all connections of a thread have in common.
class TlsClientContext {
 public:
  explicit TlsClientContext(const TlsClientOptions& options = {});
  ~TlsClientContext();
  TlsClientContext(const TlsClientContext&) = delete;
  TlsClientContext& operator=(const TlsClientContext&) = delete;

  ssl_ctx_st* get() const { return context_; }
  // verifies says whether certificates, and that they are for the host, are looked at.
  bool verifies() const { return verifies_; }

 private:
  ssl_ctx_st* context_;
  bool verifies_ = false;
};

// TlsStream is one connection.
class TlsStream {
 public:
  // `host` is named in the handshake (SNI) unless it is empty. `context` outlives the stream.
  TlsStream(const TlsClientContext& context, const std::string& host);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Start begins the handshake: what is to be sent is appended to `out`.
  std::expected<void, std::string> Start(std::vector<uint8_t>& out);

  // Receive takes all of `ciphertext`, appends the plaintext that comes of it to `plain` and what
  // is to be sent to `out`. It fails with a sentence when the connection is of no more use.
  std::expected<void, std::string> Receive(ByteSpan ciphertext, std::vector<uint8_t>& plain,
                                           std::vector<uint8_t>& out);

  // Send appends the record of one message to `out`. Only when is_established().
  bool Send(ByteSpan message, std::vector<uint8_t>& out);

  // Shutdown appends a close_notify.
  void Shutdown(std::vector<uint8_t>& out);

  // is_established says that the handshake is through.
  bool is_established() const;

  // version names the protocol, for example `TLSv1.3`.
  std::string version() const;

  // get is the session, for tls_peer.cc.
  ssl_st* get() const { return ssl_.get(); }

 private:
  std::expected<void, std::string> Failure(int result) const;
  void TakeOutput(std::vector<uint8_t>& out);

  struct FreeSsl {
    void operator()(ssl_st* ssl) const;
  };
  std::unique_ptr<ssl_st, FreeSsl> ssl_;
};

}  // namespace turnpike::load
