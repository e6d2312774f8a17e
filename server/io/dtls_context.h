// What all DTLS sessions of the process have in common. GnuTLS speaks DTLS here: BoringSSL has no
// cookie exchange that leaves no state, and drops the ClientHello that answers another's.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "server/io/tls_context.h"

struct gnutls_certificate_credentials_st;
struct gnutls_priority_st;

namespace turnpike {

// DtlsContext holds certificate and suites: DTLS 1.2 with ECDHE and AEAD, as for TLS. It does not
// change, so sessions of all workers share it.
class DtlsContext {
 public:
  // Make takes over the certificate that TLS uses. It fails with a sentence.
  static std::expected<std::unique_ptr<DtlsContext>, std::string> Make(const TlsPem& pem);

  ~DtlsContext();
  DtlsContext(const DtlsContext&) = delete;
  DtlsContext& operator=(const DtlsContext&) = delete;

  gnutls_certificate_credentials_st* credentials() const { return credentials_; }
  gnutls_priority_st* priorities() const { return priorities_; }

 private:
  DtlsContext() = default;

  gnutls_certificate_credentials_st* credentials_ = nullptr;
  gnutls_priority_st* priorities_ = nullptr;
};

}  // namespace turnpike
