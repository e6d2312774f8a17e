// Counters of one worker's sockets and loop. The worker writes, any thread may read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>

#include "common/base/counter.h"
#include "common/net/five_tuple.h"

namespace turnpike {

// ConnectionEnd is why a client's stream connection or DTLS session ended, or was never served.
enum class ConnectionEnd : uint8_t {
  kClientClosed,      // the client closed it, or its half of it
  kReset,             // it broke: RST, or a failed write
  kNotTurn,           // neither STUN nor ChannelData (RFC 8656 §12.5), HTTP for instance
  kNoMessage,         // no whole message in time: a port scan, or a client that stalls
  kIdle,              // no allocation and no message for too long
  kWriteStalled,      // the client does not read what it asked for
  kTlsFailed,         // no TLS handshake, or a broken record
  kTooMany,           // limits.connections
  kTooManyOfAddress,  // limits.connections_per_address
  kNoResource,        // the system refused to watch it
  kStopped,           // the server stopped
  kPeerClosed,        // a data connection (RFC 6062) whose peer closed
  kAllocationEnded,   // a data connection whose allocation ended, or gave it up
  kHandedOver,        // no end: it became a data connection
};
inline constexpr size_t kConnectionEndCount = 13;  // kHandedOver is never counted

// ConnectionEndName returns the lower snake case name without the k: a metric's label.
std::string_view ConnectionEndName(ConnectionEnd end);

// TlsHandshake is how a handshake ended.
enum class TlsHandshake : uint8_t { kOk, kFailed, kTimedOut };
inline constexpr size_t kTlsHandshakeCount = 3;
std::string_view TlsHandshakeName(TlsHandshake result);

// StreamStats are of stream connections and DTLS sessions.
struct StreamStats {
  std::array<Counter, kTransportCount> connections;  // gauge, by Transport: open now
  std::array<Counter, kConnectionEndCount> closed;   // by ConnectionEnd
  std::array<Counter, kTlsHandshakeCount> handshakes;
  std::array<Counter, kTlsHandshakeCount> dtls_handshakes;
  Counter dtls_cookies;    // HelloVerifyRequests: answers to strangers, who leave no state
  Counter dtls_discarded;  // datagrams of no session that begin none
  Counter accept_pauses;   // times that accepting paused for want of descriptors or memory
};

// IoStats are running totals since the worker was made, and a gauge where said.
struct IoStats {
  // Datagrams that the kernel dropped because a receive buffer was full: of the relay sockets, and
  // of each UDP listener in their order.
  Counter relay_overflows;
  std::deque<Counter> listener_overflows;
  Counter loop_lag_ns;  // gauge: how late the loop's last heartbeat was
  Counter heartbeats;   // one a second, as long as the loop turns
  StreamStats streams;
};

}  // namespace turnpike
