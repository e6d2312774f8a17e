// Peers that nobody may reach through the relay.
#pragma once

#include <cstdint>
#include <vector>

#include "common/net/ip_set.h"
#include "common/net/transport_address.h"

namespace turnpike {

// PeerFilter decides whether a peer may be reached. Denied by default, in every disguise
// (IPv4-mapped, IPv4-compatible, NAT64, 6to4, Teredo): this host, loopback, private, link-local
// (cloud metadata with it), shared (CGNAT), multicast, broadcast, documentation, benchmarking and
// reserved ranges, IPv6 unique-local and site-local. `allow` opens single ranges of these, `deny` closes more and
// wins over `allow`; the server's own listeners stay closed whatever is allowed. The server's own
// relayed addresses are open: two clients of one relay meet there.
class PeerFilter {
 public:
  struct Options {
    IpSet allow;
    IpSet deny;
    std::vector<TransportAddress> listeners;   // own listeners, admin included; unspecified: any own IP
    std::vector<IpAddress> local_addresses;    // the host's own addresses
    std::vector<IpAddress> relay_addresses;    // own relay addresses, bound and advertised
    uint16_t min_relay_port = 0;
    uint16_t max_relay_port = 0;
  };

  explicit PeerFilter(Options options);

  // PermitsAddress answers for CreatePermission, which names no port.
  bool PermitsAddress(const IpAddress& ip) const;

  // Permits answers for ChannelBind, Send and Connect.
  bool Permits(const TransportAddress& peer) const;

 private:
  Options options_;
};

// EmbeddedIpv4 returns the IPv4 addresses that an IPv6 address may lead to: from IPv4-mapped,
// IPv4-compatible, NAT64 (64:ff9b::/96 and 64:ff9b:1::/48), 6to4 and Teredo (server and client) forms.
std::vector<IpAddress> EmbeddedIpv4(const IpAddress& ip);

}  // namespace turnpike
