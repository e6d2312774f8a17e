// What the core needs to know of the configuration. `app` maps Config to it; the core never sees
// Config.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/net/ip_set.h"
#include "common/net/transport_address.h"
#include "server/turn/credentials.h"
#include "server/turn/peer_filter.h"
#include "server/turn/quota.h"

namespace turnpike {

// RelayAddress is an address that relays are opened on, and the one that clients and peers are
// told: they differ behind a 1:1 NAT.
struct RelayAddress {
  IpAddress bind;
  IpAddress advertise;
};

// AlternateServer is another server that clients can be sent to (RFC 8489 §10).
struct AlternateServer {
  IpAddress ip;
  uint16_t port = 0;      // for clients over UDP and TCP
  uint16_t tls_port = 0;  // for clients over TLS and DTLS
  std::string domain;     // that its certificate names, at most 255 bytes; empty: not told
};

// NatDiscovery is where the server answers to find out how a NAT behaves (RFC 5780 §6): UDP
// listeners stand at each address with each port.
struct NatDiscovery {
  std::array<IpAddress, 2> addresses;
  std::array<uint16_t, 2> ports{};
};

// TurnOptions are the rules one core serves by. Shared parts are immutable; a reload swaps the
// whole.
struct TurnOptions {
  std::string realm;
  std::string software;  // SOFTWARE in authenticated answers; empty: none
  std::vector<RelayAddress> relay_addresses;
  std::shared_ptr<const Credentials> credentials;
  std::shared_ptr<const PeerFilter> peer_filter;

  Duration default_lifetime = std::chrono::seconds(600);  // RFC 8656 §7.2
  Duration max_lifetime = std::chrono::seconds(3600);     // §7.2 recommends at most one hour
  Duration nonce_lifetime = std::chrono::seconds(3600);   // RFC 8489 §9.2: at most one hour
  uint32_t max_permissions = 100;                         // per allocation; more get 508
  uint32_t max_channels = 100;                            // per allocation; more get 508
  // TCP connections with peers per allocation (RFC 6062); 0: no TCP allocations (442). More get
  // 508, and peers' own are closed.
  uint32_t max_peer_connections = 64;
  LimitOptions limits;

  // Per second and source (an IPv4 address or an IPv6 /64), for each core; 0: no limit. Answers to
  // who has not proven itself, and Allocate requests with credentials; more are not answered.
  uint32_t max_unauthenticated_answers = 0;
  uint32_t max_allocation_attempts = 0;
  // A datagram from a peer that was wrapped for a TURN client so often goes round in a loop of
  // relays: it is dropped. 0: not looked for.
  uint32_t max_nesting = 4;
  // Payload that peers may send to a client which has sent nothing since; 0: no limit.
  uint32_t max_unanswered_bytes = 0;

  bool mobility = false;       // RFC 8016: tickets are given and redeemed; else they get 405
  bool strict_expiry = false;  // a session ends with its time-limited credential

  // Where new clients are sent while the core drains, or always; by turns among those of the
  // client's family. A client that has none is served, or refused, as if there were no list.
  std::vector<AlternateServer> alternate_servers;
  bool redirect_always = false;

  std::optional<NatDiscovery> nat_discovery;  // nullopt: its attributes get 420
};

}  // namespace turnpike
