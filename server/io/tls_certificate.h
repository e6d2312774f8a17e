// The certificate chain and private key of TLS listeners: read from PEM files, or made up.
#pragma once

#include <openssl/ssl.h>

#include <expected>
#include <string>
#include <vector>

#include "common/base/time.h"

namespace turnpike {

// TlsCertificate is a leaf, the certificates above it, and the leaf's key.
struct TlsCertificate {
  bssl::UniquePtr<X509> leaf;
  std::vector<bssl::UniquePtr<X509>> chain;  // intermediates, in the file's order
  bssl::UniquePtr<EVP_PKEY> key;
};

// ReadCertificate reads PEM files: the leaf first, then the chain; RSA or ECDSA. It fails with a
// sentence that names the file and what is wrong with it.
std::expected<TlsCertificate, std::string> ReadCertificate(const std::string& certificate_path,
                                                           const std::string& key_path);

// MakeSelfSigned makes an ECDSA P-256 certificate that is valid for a year from a day before `now`.
TlsCertificate MakeSelfSigned(WallTime now);

// ValidFrom and ValidUntil return the leaf's bounds, in whole seconds.
WallTime ValidFrom(const TlsCertificate& certificate);
WallTime ValidUntil(const TlsCertificate& certificate);

}  // namespace turnpike
