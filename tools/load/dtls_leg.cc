#include "tools/load/dtls_leg.h"

#include <gnutls/dtls.h>
#include <gnutls/gnutls.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/check.h"

namespace turnpike::load {
namespace {

// DTLS 1.2 with forward secrecy and AEAD: what browsers offer.
constexpr const char* kPriorities =
    "NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-MAC-ALL:+AEAD";

constexpr unsigned kHandshakeMtu = 1232;    // IPv6's least MTU less headers
constexpr unsigned kLargestRecord = 16384;  // RFC 6347 §4.1

// RFC 6347 §4.2.4.1. The session's patience ends a handshake that nobody answers.
constexpr unsigned kRetransmitMs = 1000;
constexpr unsigned kTotalMs = 600'000;

// Warning alerts and the like that one datagram may hold.
constexpr int kMaxTrifles = 16;

}  // namespace

DtlsClientContext::DtlsClientContext() {
  // Both fail only without memory, or where the host's policy forbids DTLS 1.2.
  TP_CHECK(gnutls_certificate_allocate_credentials(&credentials_) == GNUTLS_E_SUCCESS);
  TP_CHECK(gnutls_priority_init(&priorities_, kPriorities, nullptr) == GNUTLS_E_SUCCESS);
}

DtlsClientContext::~DtlsClientContext() {
  gnutls_priority_deinit(priorities_);
  gnutls_certificate_free_credentials(credentials_);
}

struct DtlsLeg::Io {
  static DtlsLeg& Of(gnutls_transport_ptr_t pointer) { return *static_cast<DtlsLeg*>(pointer); }

  static ssize_t Push(gnutls_transport_ptr_t pointer, const void* data, size_t size) {
    DtlsLeg& self = Of(pointer);
    ssize_t sent = send(self.fd_.get(), data, size, MSG_DONTWAIT);
    // An error may be the answer to an earlier datagram; it is reported once.
    if (sent < 0 && errno == ECONNREFUSED) sent = send(self.fd_.get(), data, size, MSG_DONTWAIT);
    self.send_error_ = sent < 0 ? errno : 0;
    return static_cast<ssize_t>(size);  // what did not leave is lost, as on the way
  }

  static ssize_t Pull(gnutls_transport_ptr_t pointer, void* out, size_t size) {
    DtlsLeg& self = Of(pointer);
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

class DtlsLeg::RecordSink final : public MessageSink {
 public:
  RecordSink(DtlsLeg& leg, MessageSink& sink) : leg_(leg), sink_(sink) {}
  void OnMessage(ByteSpan bytes, MonoTime arrival) override {
    leg_.OnDatagram(bytes, arrival, sink_);
  }

 private:
  DtlsLeg& leg_;
  MessageSink& sink_;
};

void DtlsLeg::FreeSession::operator()(gnutls_session_int* session) const { gnutls_deinit(session); }

std::expected<std::unique_ptr<ClientLeg>, std::string> DtlsLeg::Open(const LegTarget& target) {
  auto fd = OpenUdpTo(target.server);
  if (!fd) return std::unexpected(fd.error());
  auto leg = std::make_unique<DtlsLeg>(std::move(*fd), target);
  leg->Handshake();
  return leg;
}

DtlsLeg::DtlsLeg(UniqueFd fd, const LegTarget& target)
    : ClientLeg(std::move(fd)), name_(target.server.ToString() + " over dtls") {
  gnutls_session_t session = nullptr;
  bool ok = gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_DATAGRAM | GNUTLS_NONBLOCK |
                                      GNUTLS_NO_SIGNAL) == GNUTLS_E_SUCCESS;
  TP_CHECK(ok);  // fails only without memory
  session_.reset(session);
  ok = gnutls_priority_set(session, target.dtls->priorities()) == GNUTLS_E_SUCCESS &&
       gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, target.dtls->credentials()) ==
           GNUTLS_E_SUCCESS;
  TP_CHECK(ok);
  if (!target.host.empty()) {
    gnutls_server_name_set(session, GNUTLS_NAME_DNS, target.host.data(), target.host.size());
  }
  // RFC 7443 §3.
  constexpr std::string_view kProtocol = "stun.turn";
  const gnutls_datum_t protocol{
      reinterpret_cast<unsigned char*>(const_cast<char*>(kProtocol.data())),
      static_cast<unsigned>(kProtocol.size())};
  gnutls_alpn_set_protocols(session, &protocol, 1, 0);
  gnutls_transport_set_ptr(session, this);
  gnutls_transport_set_push_function(session, &Io::Push);
  gnutls_transport_set_pull_function(session, &Io::Pull);
  gnutls_transport_set_pull_timeout_function(session, &Io::PullTimeout);
  gnutls_dtls_set_timeouts(session, kRetransmitMs, kTotalMs);
  gnutls_dtls_set_mtu(session, kHandshakeMtu);
}

DtlsLeg::~DtlsLeg() = default;

void DtlsLeg::Handshake() {
  for (int i = 0; i < kMaxTrifles; ++i) {
    const int result = gnutls_handshake(session_.get());
    if (result == GNUTLS_E_SUCCESS) {
      is_established_ = true;
      gnutls_dtls_set_mtu(session_.get(), kLargestRecord);
      return;
    }
    if (result == GNUTLS_E_AGAIN) return;
    if (gnutls_error_is_fatal(result) == 0) continue;
    broken_ = "cannot connect to " + name_ + ": " + gnutls_strerror(result);
    return;
  }
}

void DtlsLeg::OnTimer() {
  if (!is_established_ && broken_.empty()) Handshake();
}

void DtlsLeg::OnDatagram(ByteSpan datagram, MonoTime arrival, MessageSink& sink) {
  std::array<uint8_t, kLargestRecord> room;
  input_ = datagram;
  if (!is_established_ && broken_.empty()) Handshake();
  for (int i = 0; is_established_ && broken_.empty() && i < kMaxTrifles; ++i) {
    const ssize_t got = gnutls_record_recv(session_.get(), room.data(), room.size());
    if (got > 0) {
      sink.OnMessage({room.data(), static_cast<size_t>(got)}, arrival);
      continue;
    }
    if (got == GNUTLS_E_AGAIN) break;
    if (got == 0) {
      broken_ = "the connection to " + name_ + " is gone: the server closed it";
    } else if (gnutls_error_is_fatal(static_cast<int>(got)) != 0) {
      broken_ =
          "the connection to " + name_ + " is gone: " + gnutls_strerror(static_cast<int>(got));
    }
  }
  input_ = {};
}

std::expected<void, std::string> DtlsLeg::Receive(UdpReceiver& receiver, Duration wall_to_mono,
                                                  MonoTime now, MessageSink& sink) {
  RecordSink records(*this, sink);
  const int error = receiver.Receive(fd_.get(), wall_to_mono, now, records);
  if (error != 0) return std::unexpected(ReceiveError(error, name_));
  if (!broken_.empty()) return std::unexpected(broken_);
  return {};
}

bool DtlsLeg::Seal(ByteSpan message) {
  if (!is_established_ || !broken_.empty()) return false;
  const ssize_t sent = gnutls_record_send(session_.get(), message.data(), message.size());
  return sent == static_cast<ssize_t>(message.size()) && send_error_ == 0;
}

void DtlsLeg::SendControl(ByteSpan message) {
  // The client repeats what is lost.
  static_cast<void>(Seal(message));
}

size_t DtlsLeg::SendBurst(std::span<const Item> items, ByteSpan bytes) {
  size_t taken = 0;
  for (const Item& item : items) {
    if (!Seal(bytes.first(item.message_size))) break;
    bytes = bytes.subspan(item.message_size);
    ++taken;
  }
  return taken;
}

void DtlsLeg::Close() {
  if (is_established_ && broken_.empty()) gnutls_bye(session_.get(), GNUTLS_SHUT_WR);
}

}  // namespace turnpike::load
