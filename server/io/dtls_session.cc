#include "server/io/dtls_session.h"

#include <gnutls/dtls.h>
#include <gnutls/gnutls.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/base/check.h"
#include "server/io/dtls_context.h"

namespace turnpike {
namespace {

// Handshake messages are cut so that no router between has to: IPv6's least MTU less headers.
constexpr unsigned kHandshakeMtu = 1232;
// A record carries one message, and as over UDP it is the client's choice how large those get.
constexpr unsigned kLargestRecord = 16384;

// RFC 6347 §4.2.4.1: one second at first, doubling. The end of a handshake is the hub's business.
constexpr unsigned kRetransmitMs = 1000;
constexpr unsigned kTotalMs = 600'000;

// Warning alerts and the like that one datagram may hold.
constexpr int kMaxTrifles = 16;

// RFC 7443 §3. A client that offers only other protocols is served without one, as over TLS.
constexpr const char* kProtocolNames[] = {"stun.turn", "stun.nat-discovery"};

}  // namespace

struct DtlsSession::Io {
  static DtlsSession& Of(gnutls_transport_ptr_t pointer) {
    return *static_cast<DtlsSession*>(pointer);
  }

  static ssize_t Push(gnutls_transport_ptr_t pointer, const void* data, size_t size) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    Of(pointer).output_.emplace_back(bytes, bytes + size);
    return static_cast<ssize_t>(size);
  }

  static ssize_t Pull(gnutls_transport_ptr_t pointer, void* out, size_t size) {
    DtlsSession& self = Of(pointer);
    if (self.input_.empty()) {
      gnutls_transport_set_errno(self.session_.get(), EAGAIN);
      return -1;
    }
    const ByteSpan datagram = std::exchange(self.input_, {});
    const size_t taken = std::min(size, datagram.size());
    std::memcpy(out, datagram.data(), taken);
    return static_cast<ssize_t>(taken);
  }

  // It never waits: without input there is none now.
  static int PullTimeout(gnutls_transport_ptr_t pointer, unsigned) {
    return Of(pointer).input_.empty() ? 0 : 1;
  }
};

void DtlsSession::Free::operator()(gnutls_session_int* session) const { gnutls_deinit(session); }

DtlsSession::DtlsSession(const DtlsContext& context, const DtlsHello& hello)
    : hello_random_(hello.random) {
  gnutls_session_t session = nullptr;
  bool ok = gnutls_init(&session, GNUTLS_SERVER | GNUTLS_DATAGRAM | GNUTLS_NONBLOCK |
                                      GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS) == GNUTLS_E_SUCCESS;
  TP_CHECK(ok);  // fails only without memory
  session_.reset(session);
  ok = gnutls_priority_set(session, context.priorities()) == GNUTLS_E_SUCCESS &&
       gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, context.credentials()) ==
           GNUTLS_E_SUCCESS;
  TP_CHECK(ok);
  std::array<gnutls_datum_t, std::size(kProtocolNames)> protocols;
  std::ranges::transform(kProtocolNames, protocols.begin(), [](const char* name) {
    return gnutls_datum_t{reinterpret_cast<unsigned char*>(const_cast<char*>(name)),
                          static_cast<unsigned>(std::strlen(name))};
  });
  gnutls_alpn_set_protocols(session, protocols.data(), static_cast<unsigned>(protocols.size()),
                            GNUTLS_ALPN_SERVER_PRECEDENCE);
  gnutls_certificate_server_set_request(session, GNUTLS_CERT_IGNORE);
  gnutls_transport_set_ptr(session, this);
  gnutls_transport_set_push_function(session, &Io::Push);
  gnutls_transport_set_pull_function(session, &Io::Pull);
  gnutls_transport_set_pull_timeout_function(session, &Io::PullTimeout);
  gnutls_dtls_set_timeouts(session, kRetransmitMs, kTotalMs);
  gnutls_dtls_set_mtu(session, kHandshakeMtu);
  // What a verified cookie leaves behind: the numbers that the handshake goes on with.
  gnutls_dtls_prestate_st prestate{.record_seq = hello.record_sequence,
                                   .hsk_read_seq = hello.message_sequence,
                                   .hsk_write_seq = 0};
  gnutls_dtls_prestate_set(session, &prestate);
}

DtlsSession::~DtlsSession() = default;

DtlsSession::Status DtlsSession::Handshake() {
  for (int i = 0; i < kMaxTrifles; ++i) {
    const int result = gnutls_handshake(session_.get());
    if (result == GNUTLS_E_SUCCESS) {
      is_established_ = true;
      gnutls_dtls_set_mtu(session_.get(), kLargestRecord);
      return Status::kNothing;
    }
    if (result == GNUTLS_E_AGAIN) return Status::kNothing;
    if (gnutls_error_is_fatal(result) == 0) continue;
    gnutls_alert_send_appropriate(session_.get(), result);
    break;
  }
  has_failed_ = true;
  return Status::kFailed;
}

DtlsSession::Received DtlsSession::Receive(std::span<uint8_t> room) {
  const Received received = Next(room);
  input_ = {};  // whoever fed it may forget it now
  return received;
}

DtlsSession::Received DtlsSession::Next(std::span<uint8_t> room) {
  if (has_failed_) return {Status::kFailed, 0};
  if (!is_established_) {
    if (Handshake() == Status::kFailed) return {Status::kFailed, 0};
    if (!is_established_) return {Status::kNothing, 0};
  }
  for (int i = 0; i < kMaxTrifles && !room.empty(); ++i) {
    const ssize_t got = gnutls_record_recv(session_.get(), room.data(), room.size());
    if (got > 0) return {Status::kMessage, static_cast<size_t>(got)};
    if (got == GNUTLS_E_AGAIN) break;
    if (got == 0) return {Status::kClosed, 0};
    // A request for renegotiation is one of those that are passed over.
    if (gnutls_error_is_fatal(static_cast<int>(got)) == 0) continue;
    has_failed_ = true;
    return {Status::kFailed, 0};
  }
  return {Status::kNothing, 0};
}

std::expected<DtlsSession::Datagram, DropReason> DtlsSession::Seal(ByteSpan message) {
  if (!is_established_ || has_failed_) return std::unexpected(DropReason::kSendFailed);
  if (message.size() > gnutls_dtls_get_data_mtu(session_.get())) {
    return std::unexpected(DropReason::kTooLarge);
  }
  const size_t before = output_.size();
  const ssize_t sent = gnutls_record_send(session_.get(), message.data(), message.size());
  if (sent < 0 || output_.size() != before + 1) return std::unexpected(DropReason::kSendFailed);
  Datagram sealed = std::move(output_.back());
  output_.pop_back();
  return sealed;
}

void DtlsSession::Shutdown() {
  if (is_established_ && !has_failed_) gnutls_bye(session_.get(), GNUTLS_SHUT_WR);
}

std::vector<DtlsSession::Datagram> DtlsSession::TakeOutput() { return std::exchange(output_, {}); }

std::optional<Duration> DtlsSession::RetransmitIn() const {
  if (is_established_ || has_failed_) return std::nullopt;
  // Never at once: a timer that fires early finds that nothing is due.
  const unsigned wait = std::max(gnutls_dtls_get_timeout(session_.get()), 50u);
  return std::chrono::milliseconds(wait);
}

DtlsSession::Status DtlsSession::OnTimer() {
  return is_established_ || has_failed_ ? Status::kNothing : Handshake();
}

}  // namespace turnpike
