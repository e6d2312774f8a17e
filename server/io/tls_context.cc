#include "server/io/tls_context.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <chrono>
#include <string_view>
#include <utility>

#include "common/base/check.h"
#include "server/io/tls_certificate.h"

namespace turnpike {
namespace {

// Forward secrecy and AEAD only (RFC 9325 §4.2). Suites in brackets are equally good: the client's
// order decides, so that one without AES in hardware gets ChaCha20. TLS 1.3 has no others.
constexpr const char* kSuites12 =
    "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305|ECDHE-ECDSA-AES256-GCM-SHA384]:"
    "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305|ECDHE-RSA-AES256-GCM-SHA384]";

// RFC 7443 §3.
constexpr std::string_view kProtocols[] = {"stun.turn", "stun.nat-discovery"};

// SelectProtocol answers ALPN. A client that offers only other protocols is served without one, as
// by a server that does not know the extension: RFC 7301 §3.2 would refuse it, but RFC 7443 makes
// ALPN optional, and some clients name `http/1.1` to pass a firewall.
int SelectProtocol(SSL*, const uint8_t** out, uint8_t* out_size, const uint8_t* in,
                   unsigned in_size, void*) {
  for (const std::string_view wanted : kProtocols) {
    for (unsigned i = 0; i < in_size; i += 1u + in[i]) {
      if (in[i] > in_size - i - 1) break;
      const std::string_view offered(reinterpret_cast<const char*>(in + i + 1), in[i]);
      if (offered != wanted) continue;
      *out = in + i + 1;
      *out_size = in[i];
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_NOACK;
}

bool Use(SSL_CTX* context, const TlsCertificate& certificate) {
  bool ok = SSL_CTX_use_certificate(context, certificate.leaf.get()) == 1 &&
            SSL_CTX_use_PrivateKey(context, certificate.key.get()) == 1;
  for (const auto& each : certificate.chain) {
    ok = ok && SSL_CTX_add1_chain_cert(context, each.get()) == 1;
  }
  return ok;
}

void WarnOfDates(const TlsOptions& options, const TlsCertificate& certificate, WallTime now,
                 std::vector<std::string>& warnings) {
  const WallTime from = ValidFrom(certificate);
  const WallTime until = ValidUntil(certificate);
  if (until <= now) {
    warnings.push_back("tls.certificate: " + options.certificate + " expired at " +
                       FormatRfc3339(until) + "; clients will refuse it");
  } else if (until <= now + std::chrono::days(7)) {
    warnings.push_back("tls.certificate: " + options.certificate + " expires at " +
                       FormatRfc3339(until));
  }
  if (from > now) {
    warnings.push_back("tls.certificate: " + options.certificate + " is not valid before " +
                       FormatRfc3339(from) + "; clients will refuse it until then");
  }
}

}  // namespace

std::expected<std::unique_ptr<TlsContext>, std::string> TlsContext::Make(const TlsOptions& options,
                                                                         WallTime now) {
  std::unique_ptr<TlsContext> made(new TlsContext);
  TlsCertificate certificate;
  if (options.certificate.empty()) {
    certificate = MakeSelfSigned(now);
    made->warnings_.push_back(
        "tls: no certificate is configured; a self-signed one was made for this run, which clients "
        "that check certificates (all browsers) refuse: set tls.certificate and tls.key");
  } else {
    auto read = ReadCertificate(options.certificate, options.key);
    if (!read) return std::unexpected(read.error());
    certificate = std::move(*read);
    WarnOfDates(options, certificate, now, made->warnings_);
  }
  made->expires_at_ = ValidUntil(certificate);

  made->context_ = SSL_CTX_new(TLS_method());
  SSL_CTX* context = made->context_;
  TP_CHECK(context != nullptr);  // fails only without memory
  const uint16_t lowest = options.offers_12 ? TLS1_2_VERSION : TLS1_3_VERSION;
  const uint16_t highest = options.offers_13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  TP_CHECK(SSL_CTX_set_min_proto_version(context, lowest) == 1 &&
           SSL_CTX_set_max_proto_version(context, highest) == 1 &&
           SSL_CTX_set_strict_cipher_list(context, kSuites12) == 1);
  // Sessions resume by ticket, whose keys BoringSSL changes by itself: no memory per session.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_alpn_select_cb(context, &SelectProtocol, nullptr);
  const bool usable = Use(context, certificate);
  ERR_clear_error();
  if (!usable) {
    return std::unexpected("tls.certificate: " + options.certificate +
                           " cannot be used for TLS; its key must be RSA (2048 bits or more) or "
                           "ECDSA (P-256, P-384, P-521)");
  }
  return made;
}

TlsPem TlsContext::ToPem() const {
  const auto text_of = [](BIO* bio) {
    const uint8_t* data = nullptr;
    size_t size = 0;
    TP_CHECK(BIO_mem_contents(bio, &data, &size) == 1);
    return std::string(reinterpret_cast<const char*>(data), size);
  };
  const bssl::UniquePtr<BIO> certificates(BIO_new(BIO_s_mem()));
  const bssl::UniquePtr<BIO> key(BIO_new(BIO_s_mem()));
  bool ok = PEM_write_bio_X509(certificates.get(), SSL_CTX_get0_certificate(context_)) == 1 &&
            PEM_write_bio_PrivateKey(key.get(), SSL_CTX_get0_privatekey(context_), nullptr, nullptr,
                                     0, nullptr, nullptr) == 1;
  STACK_OF(X509)* chain = nullptr;
  ok = ok && SSL_CTX_get0_chain_certs(context_, &chain) == 1;
  for (size_t i = 0; ok && chain != nullptr && i < sk_X509_num(chain); ++i) {
    ok = PEM_write_bio_X509(certificates.get(), sk_X509_value(chain, i)) == 1;
  }
  TP_CHECK(ok);  // fails only without memory
  return {text_of(certificates.get()), text_of(key.get())};
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

}  // namespace turnpike
