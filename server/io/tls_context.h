// What all TLS connections of the process have in common.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "common/base/time.h"

struct ssl_ctx_st;

namespace turnpike {

// TlsOptions is what the configuration says of TLS.
struct TlsOptions {
  std::string certificate;  // PEM file; empty: a certificate is made up
  std::string key;          // PEM file
  bool offers_12 = true;
  bool offers_13 = true;
};

// TlsPem is a certificate chain and its key as PEM text: what another library can read.
struct TlsPem {
  std::string certificates;  // the leaf first
  std::string key;
};

// TlsContext holds certificate, versions and suites. It does not change, so connections of all
// workers share it.
class TlsContext {
 public:
  // Make reads the certificate. It fails with a sentence that names the file and what is wrong.
  static std::expected<std::unique_ptr<TlsContext>, std::string> Make(const TlsOptions& options,
                                                                      WallTime now);

  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // expires_at is when the certificate does. warnings are sentences for the log: no certificate is
  // configured, or it has expired, or is about to.
  WallTime expires_at() const { return expires_at_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

  // ToPem returns the certificate in use with its private key.
  TlsPem ToPem() const;

  ssl_ctx_st* get() const { return context_; }

 private:
  TlsContext() = default;

  ssl_ctx_st* context_ = nullptr;
  WallTime expires_at_{};
  std::vector<std::string> warnings_;
};

}  // namespace turnpike
