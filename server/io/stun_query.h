// Asks a STUN server under which address this host is seen.
#pragma once

#include <chrono>
#include <expected>
#include <string>

#include "common/base/time.h"
#include "common/net/transport_address.h"

namespace turnpike {

// StunQuery says whom to ask and how long (RFC 8489 §6.2.1).
struct StunQuery {
  std::string server;  // `host:port`, `192.0.2.1:3478` or `[2001:db8::1]:3478`
  Duration rto = std::chrono::milliseconds(500);  // doubled after each sending
  int sendings = 5;
};

// QueryPublicAddress sends a Binding request from `bind` and returns the IP address that the answer
// tells. It blocks, about 31 RTO at most: for the start, before anything is served. It fails with a
// sentence.
std::expected<IpAddress, std::string> QueryPublicAddress(const IpAddress& bind,
                                                         const StunQuery& query);

// QueryOverTcp sends a Binding request over a new connection to `server` and waits for its answer,
// `timeout` at most. It blocks, and fails with a sentence.
std::expected<void, std::string> QueryOverTcp(const TransportAddress& server, Duration timeout);

// ConnectTcp opens a connection to `server` and closes it; otherwise as QueryOverTcp.
std::expected<void, std::string> ConnectTcp(const TransportAddress& server, Duration timeout);

}  // namespace turnpike
