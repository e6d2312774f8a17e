// What a server showed in a TLS handshake.
#pragma once

#include <string>
#include <vector>

#include "common/base/time.h"
#include "tools/load/tls_stream.h"

namespace turnpike::load {

// TlsPeer is a server's certificate, as far as people ask for it.
struct TlsPeer {
  std::string subject;             // the common name; may be empty
  std::vector<std::string> names;  // DNS names and addresses that it is for
  std::string issuer;              // the common name, or else the organisation
  WallTime expires;
  std::string problem;  // why the authorities of the context do not vouch for it; empty: they do
};

// TlsPeerOf reads it from an established session. `now` tells an expired certificate from one that
// is not valid yet.
TlsPeer TlsPeerOf(const TlsStream& stream, WallTime now);

}  // namespace turnpike::load
