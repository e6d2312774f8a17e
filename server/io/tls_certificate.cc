#include "server/io/tls_certificate.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "common/base/check.h"

namespace turnpike {
namespace {

std::expected<std::string, std::string> ReadWholeFile(const std::string& path) {
  const auto failure = [&] {
    return std::unexpected("cannot read " + path + ": " + std::strerror(errno));
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (file == nullptr) return failure();
  std::string text;
  std::array<char, 4096> buffer;
  while (std::feof(file.get()) == 0) {
    text.append(buffer.data(), std::fread(buffer.data(), 1, buffer.size(), file.get()));
    if (std::ferror(file.get()) != 0) return failure();
  }
  return text;
}

bssl::UniquePtr<BIO> MemoryOf(const std::string& text) {
  return bssl::UniquePtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// RefusePassphrase answers the question for a passphrase. The default would ask on the terminal.
int RefusePassphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

std::expected<void, std::string> ReadChain(const std::string& path, TlsCertificate& out) {
  const auto text = ReadWholeFile(path);
  if (!text) return std::unexpected("tls.certificate: " + text.error());
  const auto bio = MemoryOf(*text);
  while (true) {
    bssl::UniquePtr<X509> next(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (next == nullptr) break;
    if (out.leaf == nullptr) {
      out.leaf = std::move(next);
    } else {
      out.chain.push_back(std::move(next));
    }
  }
  const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (out.leaf == nullptr && is_end) {
    return std::unexpected("tls.certificate: " + path +
                           " holds no certificate in PEM (-----BEGIN CERTIFICATE-----)");
  }
  if (!is_end) {
    return std::unexpected("tls.certificate: " + path + ": certificate " +
                           std::to_string(out.chain.size() + (out.leaf != nullptr ? 2 : 1)) +
                           " of the chain is damaged");
  }
  return {};
}

std::expected<void, std::string> ReadKey(const std::string& path, TlsCertificate& out) {
  const auto text = ReadWholeFile(path);
  if (!text) return std::unexpected("tls.key: " + text.error());
  bool asked = false;
  out.key.reset(PEM_read_bio_PrivateKey(MemoryOf(*text).get(), nullptr, &RefusePassphrase, &asked));
  ERR_clear_error();
  if (out.key != nullptr) return {};
  if (asked || text->find("ENCRYPTED") != std::string::npos) {
    return std::unexpected("tls.key: " + path +
                           " is protected by a passphrase; store the key without one, readable "
                           "for this user only");
  }
  return std::unexpected("tls.key: " + path +
                         " holds no private key in PEM (-----BEGIN PRIVATE KEY-----)");
}

WallTime TimeOf(const ASN1_TIME* time) {
  const bssl::UniquePtr<ASN1_TIME> epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0;
  int seconds = 0;
  TP_CHECK(epoch != nullptr);
  if (ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1) return {};
  return WallTime(std::chrono::days(days) + std::chrono::seconds(seconds));
}

}  // namespace

std::expected<TlsCertificate, std::string> ReadCertificate(const std::string& certificate_path,
                                                           const std::string& key_path) {
  TlsCertificate certificate;
  if (auto read = ReadChain(certificate_path, certificate); !read) {
    return std::unexpected(read.error());
  }
  if (auto read = ReadKey(key_path, certificate); !read) return std::unexpected(read.error());
  const bool matches = X509_check_private_key(certificate.leaf.get(), certificate.key.get()) == 1;
  ERR_clear_error();
  if (!matches) {
    return std::unexpected("tls.key: " + key_path + " is not the key of the first certificate in " +
                           certificate_path);
  }
  return certificate;
}

TlsCertificate MakeSelfSigned(WallTime now) {
  constexpr long kDay = 86400;
  TlsCertificate made;
  bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  bool ok = ec != nullptr && EC_KEY_generate_key(ec.get()) == 1;
  made.key.reset(EVP_PKEY_new());
  ok = ok && EVP_PKEY_set1_EC_KEY(made.key.get(), ec.get()) == 1;
  made.leaf.reset(X509_new());
  X509* leaf = made.leaf.get();
  uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<uint8_t*>(&serial), sizeof(serial));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  ok = ok && X509_set_version(leaf, X509_VERSION_3) == 1 &&
       ASN1_INTEGER_set_uint64(X509_get_serialNumber(leaf), serial >> 1) == 1 &&
       ASN1_TIME_set(X509_getm_notBefore(leaf), seconds - kDay) != nullptr &&
       ASN1_TIME_set(X509_getm_notAfter(leaf), seconds + 365 * kDay) != nullptr;
  X509_NAME* name = X509_get_subject_name(leaf);
  const auto* text = reinterpret_cast<const uint8_t*>("turnpike self-signed");
  ok = ok && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1 &&
       X509_set_issuer_name(leaf, name) == 1 && X509_set_pubkey(leaf, made.key.get()) == 1 &&
       X509_sign(leaf, made.key.get(), EVP_sha256()) > 0;
  TP_CHECK(ok);  // fails only without memory
  return made;
}

WallTime ValidFrom(const TlsCertificate& certificate) {
  return TimeOf(X509_get0_notBefore(certificate.leaf.get()));
}

WallTime ValidUntil(const TlsCertificate& certificate) {
  return TimeOf(X509_get0_notAfter(certificate.leaf.get()));
}

}  // namespace turnpike
