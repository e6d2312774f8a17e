#include "server/io/tls_context.h"

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <fstream>

#include "server/io/tls_certificate.h"
#include "tests/server/io/io_world.h"

namespace turnpike {
namespace {

constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

std::string TextOf(BIO* bio) {
  const uint8_t* bytes = nullptr;
  size_t size = 0;
  BIO_mem_contents(bio, &bytes, &size);
  return std::string(reinterpret_cast<const char*>(bytes), size);
}

std::string PemOf(X509* certificate) {
  const bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return TextOf(bio.get());
}

std::string PemOf(EVP_PKEY* key, const char* passphrase = nullptr) {
  const bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(bio.get(), key, passphrase ? EVP_aes_128_cbc() : nullptr, nullptr,
                                0, nullptr, const_cast<char*>(passphrase));
  return TextOf(bio.get());
}

struct Files {
  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = directory.path() + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  // ErrorOf is what becomes of the two files, or "ok".
  std::string ErrorOf(const std::string& certificate, const std::string& key) {
    const auto made = TlsContext::Make({.certificate = certificate, .key = key}, kNow);
    std::string text = made ? "ok" : made.error();
    for (size_t at; (at = text.find(directory.path() + "/")) != std::string::npos;) {
      text.erase(at, directory.path().size() + 1);
    }
    return text;
  }

  TestDirectory directory;
};

}  // namespace

TEST_CASE("an ECDSA chain and its key are taken; when it expires is known") {
  Files files;
  const TlsCertificate made = MakeSelfSigned(kNow);
  const TlsCertificate other = MakeSelfSigned(kNow);
  const std::string certificate =
      files.Write("cert.pem", "a comment\n" + PemOf(made.leaf.get()) + PemOf(other.leaf.get()));
  const std::string key = files.Write("key.pem", PemOf(made.key.get()));
  const auto context = TlsContext::Make({.certificate = certificate, .key = key}, kNow);
  REQUIRE(context.has_value());
  CHECK((*context)->expires_at() == kNow + std::chrono::days(365));
  CHECK((*context)->warnings().empty());
  const auto read = ReadCertificate(certificate, key);
  REQUIRE(read.has_value());
  CHECK(read->chain.size() == 1);
  CHECK(ValidFrom(*read) == kNow - std::chrono::days(1));
}

TEST_CASE("an RSA certificate is taken") {
  Files files;
  TlsCertificate made = MakeSelfSigned(kNow);
  bssl::UniquePtr<RSA> rsa(RSA_new());
  bssl::UniquePtr<BIGNUM> exponent(BN_new());
  BN_set_word(exponent.get(), RSA_F4);
  REQUIRE(RSA_generate_key_ex(rsa.get(), 2048, exponent.get(), nullptr) == 1);
  made.key.reset(EVP_PKEY_new());
  EVP_PKEY_set1_RSA(made.key.get(), rsa.get());
  X509_set_pubkey(made.leaf.get(), made.key.get());
  REQUIRE(X509_sign(made.leaf.get(), made.key.get(), EVP_sha256()) > 0);
  CHECK(files.ErrorOf(files.Write("cert.pem", PemOf(made.leaf.get())),
                      files.Write("key.pem", PemOf(made.key.get()))) == "ok");
}

TEST_CASE("what is wrong with certificate or key is said with the file's name") {
  Files files;
  const TlsCertificate made = MakeSelfSigned(kNow);
  const std::string pem = PemOf(made.leaf.get());
  const std::string cert = files.Write("cert.pem", pem);
  const std::string key = files.Write("key.pem", PemOf(made.key.get()));
  const std::string empty = files.Write("empty.pem", "");
  CHECK(files.ErrorOf(cert, key) == "ok");
  CHECK(files.ErrorOf(files.directory.path() + "/none.pem", key) ==
        "tls.certificate: cannot read none.pem: No such file or directory");
  CHECK(files.ErrorOf(cert, files.directory.path() + "/none.pem") ==
        "tls.key: cannot read none.pem: No such file or directory");
  CHECK(files.ErrorOf(files.directory.path(), key).ends_with(": Is a directory"));
  CHECK(files.ErrorOf(empty, key) ==
        "tls.certificate: empty.pem holds no certificate in PEM (-----BEGIN CERTIFICATE-----)");
  CHECK(files.ErrorOf(key, key).find("holds no certificate") != std::string::npos);
  CHECK(files.ErrorOf(cert, empty) ==
        "tls.key: empty.pem holds no private key in PEM (-----BEGIN PRIVATE KEY-----)");
  CHECK(files.ErrorOf(cert, cert).find("holds no private key") != std::string::npos);
  std::string damaged = pem + pem;
  damaged[pem.size() + 60] = '!';
  CHECK(files.ErrorOf(files.Write("bad.pem", damaged), key) ==
        "tls.certificate: bad.pem: certificate 2 of the chain is damaged");
  CHECK(files.ErrorOf(cert, files.Write("other.pem", PemOf(MakeSelfSigned(kNow).key.get()))) ==
        "tls.key: other.pem is not the key of the first certificate in cert.pem");
  CHECK(files.ErrorOf(cert, files.Write("locked.pem", PemOf(made.key.get(), "secret"))) ==
        "tls.key: locked.pem is protected by a passphrase; store the key without one, readable for "
        "this user only");
}

TEST_CASE("dates that clients will stumble over are warnings, and a made-up certificate is too") {
  Files files;
  const auto warnings_at = [&](WallTime now) {
    const TlsCertificate made = MakeSelfSigned(kNow);
    const std::string cert = files.Write("cert.pem", PemOf(made.leaf.get()));
    const std::string key = files.Write("key.pem", PemOf(made.key.get()));
    const auto context = TlsContext::Make({.certificate = cert, .key = key}, now);
    return !context                         ? context.error()
           : (*context)->warnings().empty() ? std::string()
                                            : (*context)->warnings()[0];
  };
  CHECK(warnings_at(kNow).empty());
  CHECK(warnings_at(kNow + std::chrono::days(360)).find("expires at 2028-01-15") !=
        std::string::npos);
  CHECK(warnings_at(kNow + std::chrono::days(400)).find("expired at") != std::string::npos);
  CHECK(warnings_at(kNow - std::chrono::days(2)).find("is not valid before") != std::string::npos);
  const auto made_up = TlsContext::Make({}, kNow);
  REQUIRE(made_up.has_value());
  REQUIRE((*made_up)->warnings().size() == 1);
  CHECK((*made_up)->warnings()[0].find("no certificate is configured") != std::string::npos);
}

}  // namespace turnpike
