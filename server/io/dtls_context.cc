#include "server/io/dtls_context.h"

#include <gnutls/gnutls.h>

#include "common/base/check.h"

namespace turnpike {
namespace {

// Forward secrecy and AEAD only (RFC 9325 §4.2), DTLS 1.2 only: DTLS 1.0 is deprecated (RFC 8996).
constexpr const char* kPriorities =
    "SECURE128:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-128-GCM:"
    "+CHACHA20-POLY1305:+AES-256-GCM:-MAC-ALL:+AEAD";

gnutls_datum_t Datum(const std::string& text) {
  // GnuTLS only reads; its type has no const form.
  return {const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(text.data())),
          static_cast<unsigned>(text.size())};
}

}  // namespace

std::expected<std::unique_ptr<DtlsContext>, std::string> DtlsContext::Make(const TlsPem& pem) {
  std::unique_ptr<DtlsContext> made(new DtlsContext);
  TP_CHECK(gnutls_certificate_allocate_credentials(&made->credentials_) == GNUTLS_E_SUCCESS);
  const gnutls_datum_t certificates = Datum(pem.certificates);
  const gnutls_datum_t key = Datum(pem.key);
  const int used = gnutls_certificate_set_x509_key_mem2(made->credentials_, &certificates, &key,
                                                        GNUTLS_X509_FMT_PEM, nullptr, 0);
  if (used < 0) {
    return std::unexpected(std::string("tls.certificate cannot be used for DTLS: ") +
                           gnutls_strerror(used));
  }
  if (const int set = gnutls_priority_init(&made->priorities_, kPriorities, nullptr); set < 0) {
    return std::unexpected(std::string("this host's GnuTLS refuses DTLS 1.2 with ECDHE and AEAD "
                                       "(see /etc/gnutls/config): ") +
                           gnutls_strerror(set));
  }
  return made;
}

DtlsContext::~DtlsContext() {
  gnutls_priority_deinit(priorities_);
  gnutls_certificate_free_credentials(credentials_);
}

}  // namespace turnpike
