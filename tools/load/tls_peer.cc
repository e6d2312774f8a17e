#include "tools/load/tls_peer.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>

#include "common/base/check.h"
#include "common/net/transport_address.h"

namespace turnpike::load {
namespace {

std::string NameOf(X509_NAME* name, int nid) {
  std::array<char, 256> text{};
  const int size = X509_NAME_get_text_by_NID(name, nid, text.data(), text.size());
  return size > 0 ? std::string(text.data(), static_cast<size_t>(size)) : std::string();
}

std::string TextOf(const GENERAL_NAME& name) {
  const ASN1_STRING* const value = name.type == GEN_DNS ? name.d.dNSName : name.d.iPAddress;
  const std::span<const uint8_t> bytes(ASN1_STRING_get0_data(value),
                                       static_cast<size_t>(ASN1_STRING_length(value)));
  if (name.type == GEN_DNS) return std::string(bytes.begin(), bytes.end());
  if (bytes.size() == 4) return IpAddress::V4(bytes.first<4>()).ToString();
  if (bytes.size() == 16) return IpAddress::V6(bytes.first<16>()).ToString();
  return "";
}

std::vector<std::string> NamesOf(X509* certificate) {
  std::vector<std::string> names;
  const bssl::UniquePtr<GENERAL_NAMES> all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (size_t i = 0; all != nullptr && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME& name = *sk_GENERAL_NAME_value(all.get(), i);
    if (name.type != GEN_DNS && name.type != GEN_IPADD) continue;
    if (std::string text = TextOf(name); !text.empty()) names.push_back(std::move(text));
  }
  return names;
}

WallTime TimeOf(const ASN1_TIME* time) {
  const bssl::UniquePtr<ASN1_TIME> epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0;
  int seconds = 0;
  TP_CHECK(epoch != nullptr);  // fails only without memory
  if (ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1) return {};
  return WallTime(std::chrono::days(days) + std::chrono::seconds(seconds));
}

}  // namespace

TlsPeer TlsPeerOf(const TlsStream& stream, WallTime now) {
  const bssl::UniquePtr<X509> certificate(SSL_get_peer_certificate(stream.get()));
  TlsPeer peer;
  if (certificate == nullptr) return peer;
  peer.subject = NameOf(X509_get_subject_name(certificate.get()), NID_commonName);
  X509_NAME* const issuer = X509_get_issuer_name(certificate.get());
  peer.issuer = NameOf(issuer, NID_commonName);
  if (peer.issuer.empty()) peer.issuer = NameOf(issuer, NID_organizationName);
  peer.names = NamesOf(certificate.get());
  peer.expires = TimeOf(X509_get0_notAfter(certificate.get()));
  const long result = SSL_get_verify_result(stream.get());
  if (result == X509_V_OK) return peer;
  // The first thing found is not always the one that matters to people: its end is.
  peer.problem = peer.expires <= now ? "expired on " + FormatRfc3339(peer.expires)
                                     : X509_verify_cert_error_string(result);
  return peer;
}

}  // namespace turnpike::load
