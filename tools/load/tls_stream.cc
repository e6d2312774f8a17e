#include "tools/load/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>

#include "common/base/check.h"

namespace turnpike::load {
namespace {

constexpr size_t kRecordPayload = 16384;  // RFC 8446 §5.1

// ALPN of RFC 7443 §3, each name behind its length.
constexpr std::array<uint8_t, 10> kProtocols = {9, 's', 't', 'u', 'n', '.', 't', 'u', 'r', 'n'};

}  // namespace

TlsClientContext::TlsClientContext(const TlsClientOptions& options)
    : context_(SSL_CTX_new(TLS_method())) {
  TP_CHECK(context_ != nullptr);  // fails only without memory
  TP_CHECK(SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION) == 1);
  SSL_CTX_set_verify(context_, SSL_VERIFY_NONE, nullptr);
  if (options.only_tls12) {
    TP_CHECK(SSL_CTX_set_max_proto_version(context_, TLS1_2_VERSION) == 1);
  }
  // A file that cannot be read leaves no authority, and every certificate is refused.
  verifies_ = !options.authorities.empty();
  if (verifies_) SSL_CTX_load_verify_locations(context_, options.authorities.c_str(), nullptr);
  ERR_clear_error();
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
  TP_CHECK(SSL_CTX_set_alpn_protos(context_, kProtocols.data(), kProtocols.size()) == 0);
}

TlsClientContext::~TlsClientContext() { SSL_CTX_free(context_); }

void TlsStream::FreeSsl::operator()(ssl_st* ssl) const { SSL_free(ssl); }

TlsStream::TlsStream(const TlsClientContext& context, const std::string& host)
    : ssl_(SSL_new(context.get())) {
  TP_CHECK(ssl_ != nullptr);  // fails only without memory
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  TP_CHECK(in != nullptr && out != nullptr);
  BIO_set_mem_eof_return(in, -1);  // empty means: ask again
  SSL_set_bio(ssl_.get(), in, out);
  SSL_set_connect_state(ssl_.get());
  if (!host.empty()) SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
  if (!context.verifies()) return;
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl_.get());
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) != 1) {
    X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), host.size());
  }
  ERR_clear_error();
}

TlsStream::~TlsStream() = default;

std::expected<void, std::string> TlsStream::Failure(int result) const {
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return {};
  if (error == SSL_ERROR_ZERO_RETURN) return std::unexpected("the server closed the TLS session");
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_peek_error(), text.data(), text.size());
  return std::unexpected(std::string("TLS failed: ") + text.data());
}

void TlsStream::TakeOutput(std::vector<uint8_t>& out) {
  BIO* const bio = SSL_get_wbio(ssl_.get());
  const uint8_t* bytes = nullptr;
  size_t size = 0;
  if (BIO_mem_contents(bio, &bytes, &size) != 1 || size == 0) return;
  out.insert(out.end(), bytes, bytes + size);
  BIO_reset(bio);
}

std::expected<void, std::string> TlsStream::Start(std::vector<uint8_t>& out) {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  TakeOutput(out);
  return result == 1 ? std::expected<void, std::string>() : Failure(result);
}

std::expected<void, std::string> TlsStream::Receive(ByteSpan ciphertext,
                                                    std::vector<uint8_t>& plain,
                                                    std::vector<uint8_t>& out) {
  ERR_clear_error();
  BIO_write(SSL_get_rbio(ssl_.get()), ciphertext.data(), static_cast<int>(ciphertext.size()));
  std::expected<void, std::string> status;
  if (!is_established()) {
    const int result = SSL_do_handshake(ssl_.get());
    if (result != 1) status = Failure(result);
  }
  while (status && is_established()) {
    const size_t before = plain.size();
    plain.resize(before + kRecordPayload);
    const int result = SSL_read(ssl_.get(), plain.data() + before, kRecordPayload);
    plain.resize(before + static_cast<size_t>(result > 0 ? result : 0));
    if (result <= 0) {
      status = Failure(result);
      break;
    }
  }
  TakeOutput(out);
  ERR_clear_error();
  return status;
}

bool TlsStream::Send(ByteSpan message, std::vector<uint8_t>& out) {
  ERR_clear_error();
  const int result = SSL_write(ssl_.get(), message.data(), static_cast<int>(message.size()));
  TakeOutput(out);
  return result == static_cast<int>(message.size());
}

void TlsStream::Shutdown(std::vector<uint8_t>& out) {
  if (!is_established()) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  TakeOutput(out);
}

bool TlsStream::is_established() const { return SSL_in_init(ssl_.get()) == 0; }

std::string TlsStream::version() const { return SSL_get_version(ssl_.get()); }

}  // namespace turnpike::load
