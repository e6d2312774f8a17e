// A DTLS client of GnuTLS without a socket, for tests of the server's end.
#pragma once

#include <gnutls/dtls.h>
#include <gnutls/gnutls.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"

namespace turnpike {

class DtlsTestClient {
 public:
  using Datagram = std::vector<uint8_t>;

  explicit DtlsTestClient(const char* priorities = "NORMAL:-VERS-ALL:+VERS-DTLS1.2",
                          std::string_view protocol = {}) {
    gnutls_certificate_allocate_credentials(&credentials_);
    gnutls_init(&session_, GNUTLS_CLIENT | GNUTLS_DATAGRAM | GNUTLS_NONBLOCK);
    gnutls_priority_set_direct(session_, priorities, nullptr);
    gnutls_credentials_set(session_, GNUTLS_CRD_CERTIFICATE, credentials_);
    gnutls_transport_set_ptr(session_, this);
    gnutls_transport_set_push_function(session_, &Push);
    gnutls_transport_set_pull_function(session_, &Pull);
    gnutls_transport_set_pull_timeout_function(session_, &PullTimeout);
    gnutls_dtls_set_mtu(session_, 1232);
    if (protocol.empty()) return;
    const gnutls_datum_t datum{reinterpret_cast<unsigned char*>(const_cast<char*>(protocol.data())),
                               static_cast<unsigned>(protocol.size())};
    gnutls_alpn_set_protocols(session_, &datum, 1, 0);
  }
  ~DtlsTestClient() {
    gnutls_deinit(session_);
    gnutls_certificate_free_credentials(credentials_);
  }
  DtlsTestClient(const DtlsTestClient&) = delete;
  DtlsTestClient& operator=(const DtlsTestClient&) = delete;

  // Step goes on with the handshake, or reads what has come.
  void Step() {
    if (!established && error == 0) {
      const int result = gnutls_handshake(session_);
      established = result == GNUTLS_E_SUCCESS;
      if (result != GNUTLS_E_SUCCESS && gnutls_error_is_fatal(result) != 0) error = result;
      if (established) gnutls_dtls_set_mtu(session_, 16384);
    }
    while (established && !closed) {
      std::string record(20000, '\0');
      const ssize_t got = gnutls_record_recv(session_, record.data(), record.size());
      if (got == 0) closed = true;
      if (got <= 0) break;
      record.resize(static_cast<size_t>(got));
      received.push_back(std::move(record));
    }
  }

  void Send(std::string_view message) {
    gnutls_record_send(session_, message.data(), message.size());
  }
  void Close() { gnutls_bye(session_, GNUTLS_SHUT_WR); }

  std::string Protocol() const {
    gnutls_datum_t chosen{};
    if (gnutls_alpn_get_selected_protocol(session_, &chosen) != GNUTLS_E_SUCCESS) return {};
    return std::string(reinterpret_cast<const char*>(chosen.data), chosen.size);
  }

  std::deque<Datagram> to_server;
  std::deque<Datagram> from_server;
  std::vector<std::string> received;  // records
  bool established = false;
  bool closed = false;
  int error = 0;

 private:
  static DtlsTestClient& Of(gnutls_transport_ptr_t pointer) {
    return *static_cast<DtlsTestClient*>(pointer);
  }
  static ssize_t Push(gnutls_transport_ptr_t pointer, const void* data, size_t size) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    Of(pointer).to_server.emplace_back(bytes, bytes + size);
    return static_cast<ssize_t>(size);
  }
  static ssize_t Pull(gnutls_transport_ptr_t pointer, void* out, size_t size) {
    DtlsTestClient& self = Of(pointer);
    if (self.from_server.empty()) {
      gnutls_transport_set_errno(self.session_, EAGAIN);
      return -1;
    }
    const Datagram datagram = std::move(self.from_server.front());
    self.from_server.pop_front();
    const size_t taken = std::min(size, datagram.size());
    std::memcpy(out, datagram.data(), taken);
    return static_cast<ssize_t>(taken);
  }
  static int PullTimeout(gnutls_transport_ptr_t pointer, unsigned) {
    return Of(pointer).from_server.empty() ? 0 : 1;
  }

  gnutls_session_t session_ = nullptr;
  gnutls_certificate_credentials_t credentials_ = nullptr;
};

}  // namespace turnpike
