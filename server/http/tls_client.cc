#include "server/http/tls_client.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "common/net/transport_address.h"

namespace turnpike {
namespace {

bool ExpectHost(SSL* ssl, const std::string& host) {
  X509_VERIFY_PARAM* const expected = SSL_get0_param(ssl);
  if (IpAddress::Parse(host)) return X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) == 1;
  // RFC 6066 §3: the extension names hosts, never addresses.
  return X509_VERIFY_PARAM_set1_host(expected, host.data(), host.size()) == 1 &&
         SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

std::string WhyNot(const SSL* ssl) {
  const uint32_t error = ERR_peek_error();
  if (ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    return std::string("its certificate is refused: ") +
           X509_verify_cert_error_string(SSL_get_verify_result(ssl));
  }
  const char* const reason = ERR_reason_error_string(error);
  return std::string("no TLS handshake: ") + (reason == nullptr ? "no answer" : reason);
}

int Bounded(size_t size) {
  return static_cast<int>(std::min<size_t>(size, std::numeric_limits<int>::max()));
}

}  // namespace

void TlsClient::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

std::expected<TlsClient, std::string> TlsClient::Start(int socket, const std::string& host,
                                                       const std::string& authorities) {
  ERR_clear_error();
  const bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
    return std::unexpected("no memory for TLS");
  }
  if (SSL_CTX_load_verify_locations(context.get(), authorities.c_str(), nullptr) != 1) {
    return std::unexpected("no certificates of authorities in " + authorities);
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  Session session(SSL_new(context.get()));
  if (!session || !ExpectHost(session.get(), host) || SSL_set_fd(session.get(), socket) != 1) {
    return std::unexpected("the URL's host is no name that a certificate could have");
  }
  if (SSL_connect(session.get()) != 1) return std::unexpected(WhyNot(session.get()));
  return TlsClient(std::move(session));
}

ssize_t TlsClient::Send(const char* bytes, size_t size) {
  return SSL_write(session_.get(), bytes, Bounded(size));
}

ssize_t TlsClient::Receive(char* bytes, size_t size) {
  return SSL_read(session_.get(), bytes, Bounded(size));
}

}  // namespace turnpike
