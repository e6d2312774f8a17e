// Counters of one core. The worker adds, the metrics endpoint reads at any time.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "common/base/counter.h"
#include "common/metering/usage.h"
#include "common/net/five_tuple.h"
#include "server/turn/quota.h"

namespace turnpike {

// AuthFailure is why a request was not authenticated: turn_auth_failures_total{reason}. A first
// request without credentials is not a failure.
enum class AuthFailure : uint8_t {
  kUnknownUser,
  kExpired,
  kTooLong,
  kBadIntegrity,
  kStaleNonce,
  kMalformed,  // attributes missing or inconsistent: 400
  kWrongUser,  // another user's allocation: 441
};
inline constexpr int kAuthFailureCount = 7;
std::string_view AuthFailureName(AuthFailure reason);

// PeerConnectionEvent is what happens to TCP connections with peers (RFC 6062).
enum class PeerConnectionEvent : uint8_t {
  kConnected,      // at the client's wish
  kConnectFailed,  // 447: refused, unreachable, or no answer in time
  kAccepted,       // the peer came, and was permitted
  kBound,          // the client's ConnectionBind came
  kNotBound,       // it did not come in time
};
inline constexpr int kPeerConnectionEventCount = 5;
std::string_view PeerConnectionEventName(PeerConnectionEvent event);

// SourceLimit is what a rate limit by source held back: turn_rate_limited_total{what}.
enum class SourceLimit : uint8_t {
  kUnauthenticatedAnswer,  // to a request without, or with wrong, credentials
  kAllocationAttempt,      // an Allocate request with credentials
};
inline constexpr int kSourceLimitCount = 2;
std::string_view SourceLimitName(SourceLimit what);

// Histogram bounds of turn_allocation_duration_seconds.
inline constexpr std::array<uint32_t, 8> kDurationBoundsSeconds = {1,   10,   60,    300,
                                                                   600, 3600, 14400, 86400};

// TurnStats are running totals since the core was made, and gauges where said.
struct TurnStats {
  template <size_t N>
  using Counters = std::array<Counter, N>;

  // By Transport, then by family (0: IPv4, 1: IPv6). Gauge: allocations alive.
  std::array<Counters<2>, kTransportCount> allocations;
  Counter allocations_created;
  // Index: error code - 300. Answers to Allocate alone / to any request.
  Counters<400> allocation_errors;
  Counters<400> errors;
  // By Transport, then Direction. Payload bytes and packets that the kernel took.
  std::array<Counters<kDirectionCount>, kTransportCount> relayed_bytes;
  std::array<Counters<kDirectionCount>, kTransportCount> relayed_packets;
  Counters<kDropReasonCount> dropped_packets;
  Counters<kLimitCount> limited;  // by Limit: allocations refused, or packets held back
  // Gauges: of the session that moved most in the last second or so, in one direction.
  Counter fullest_session_bytes_per_second;
  Counter fullest_session_packets_per_second;
  Counters<kAuthFailureCount> auth_failures;
  // Index: method (0 for unknown ones .. 12), then class.
  std::array<Counters<4>, 13> messages;
  Counters<kDurationBoundsSeconds.size() + 1> duration_buckets;  // not cumulative
  Counter duration_sum_ms;
  Counters<kCloseReasonCount> closed;
  Counters<kSourceLimitCount> source_limited;
  Counter loops;             // cut: nested datagrams, and clients that are our own relays
  Counter moves;             // sessions that went on at another 5-tuple (RFC 8016)
  Counter peer_connections;  // gauge: TCP connections with peers, those under way included
  Counters<kPeerConnectionEventCount> peer_connection_events;
};

}  // namespace turnpike
