// What stream listeners and connections are told of the configuration.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "common/base/time.h"
#include "common/net/transport_address.h"

namespace turnpike {

class ConnectionLimits;
class DtlsContext;
class HandoverBoard;
class TlsContext;

// StreamListenOptions is one listening port and what is spoken there. Where both are, the first
// byte of a connection tells: 0x16 begins a TLS handshake, 0x00 to 0x03 a STUN message.
struct StreamListenOptions {
  TransportAddress address;
  bool plain = true;
  bool tls = false;
};

// StreamOptions holds for all stream connections and DTLS sessions of a worker. `limits`
// and `handovers` are not owned.
struct StreamOptions {
  Duration first_message_timeout = std::chrono::seconds(10);  // TLS handshake included
  Duration idle_timeout = std::chrono::seconds(60);           // while there is no allocation
  Duration write_timeout = std::chrono::seconds(30);          // without the client reading
  size_t write_queue_bytes = 256 << 10;                       // at least the largest message
  ConnectionLimits* limits = nullptr;                         // of all workers; nullptr: none
  // For listeners with `tls` or `dtls`. Connections and sessions keep what they began with.
  std::shared_ptr<const TlsContext> tls;
  std::shared_ptr<const DtlsContext> dtls;
  HandoverBoard* handovers = nullptr;  // of all workers; nullptr: there is one
};

}  // namespace turnpike
