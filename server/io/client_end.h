// The client's end of a data connection (RFC 6062), on its way from the worker that accepted it to
// the one that owns the peer connection.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/unique_fd.h"
#include "server/io/tls_stream.h"
#include "server/turn/types.h"

namespace turnpike {

// ClientEnd is a connected client socket that nothing watches, with its TLS session if it has one.
// That session is plain memory: a thread that is handed it may go on with it.
struct ClientEnd {
  PeerStreamId stream;
  Client client;
  UniqueFd fd;
  std::unique_ptr<TlsStream> tls;
  std::vector<uint8_t> received;  // application data that came with the ConnectionBind
};

}  // namespace turnpike
