// A client's connection over DTLS 1.2: a datagram socket whose datagrams are records.
#pragma once

#include <memory>
#include <string>

#include "tools/load/client_leg.h"

struct gnutls_certificate_credentials_st;
struct gnutls_priority_st;
struct gnutls_session_int;

namespace turnpike::load {

// DtlsClientContext is what all connections of a thread have in common. Certificates are not
// checked, as over TLS.
class DtlsClientContext {
 public:
  DtlsClientContext();
  ~DtlsClientContext();
  DtlsClientContext(const DtlsClientContext&) = delete;
  DtlsClientContext& operator=(const DtlsClientContext&) = delete;

  gnutls_certificate_credentials_st* credentials() const { return credentials_; }
  gnutls_priority_st* priorities() const { return priorities_; }

 private:
  gnutls_certificate_credentials_st* credentials_ = nullptr;
  gnutls_priority_st* priorities_ = nullptr;
};

// DtlsLeg shakes hands and wraps each message in a record of its own. GnuTLS keeps the clock of
// the handshake's retransmissions itself.
class DtlsLeg final : public ClientLeg {
 public:
  static std::expected<std::unique_ptr<ClientLeg>, std::string> Open(const LegTarget& target);

  DtlsLeg(UniqueFd fd, const LegTarget& target);
  ~DtlsLeg() override;

  bool is_open() const override { return is_established_; }
  void SendControl(ByteSpan message) override;
  size_t SendBurst(std::span<const Item> items, ByteSpan bytes) override;
  std::expected<void, std::string> OnWritable() override { return {}; }
  std::expected<void, std::string> Receive(UdpReceiver& receiver, Duration wall_to_mono,
                                           MonoTime now, MessageSink& sink) override;
  void OnTimer() override;
  void Close() override;

 private:
  struct Io;         // what GnuTLS calls
  class RecordSink;  // opens the records of what arrives

  void Handshake();
  void OnDatagram(ByteSpan datagram, MonoTime arrival, MessageSink& sink);
  bool Seal(ByteSpan message);

  struct FreeSession {
    void operator()(gnutls_session_int* session) const;
  };

  std::string name_;  // of the server and the transport, for errors
  std::unique_ptr<gnutls_session_int, FreeSession> session_;
  bool is_established_ = false;
  ByteSpan input_;      // the datagram that GnuTLS has not fetched yet
  int send_error_ = 0;  // of the last record: errno, or 0
  std::string broken_;  // why it is of no more use
};

}  // namespace turnpike::load
