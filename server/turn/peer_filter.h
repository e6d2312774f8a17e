// Peers that nobody may reach through the relay.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/net/ip_set.h"
#include "common/net/transport_address.h"

namespace turnpike {

// PeerFilter decides whether a peer may be reached. Immutable, so any thread may ask. In this
// order:
//
// 1. `deny` closes, whatever else is said.
// 2. The server's own listeners are closed: an own address with a listener's port, also when the
//    listener is bound to the unspecified address, or reached by its advertised address.
// 3. The server's own relayed addresses are open within the relay's ports: two clients of one relay
//    meet there.
// 4. What design and RFCs reserve is closed unless `allow` opens it: this host (also by any address
//    of its own), loopback, private, link-local (the cloud's metadata with it), shared (CGNAT),
//    multicast, broadcast, documentation, benchmarking and reserved ranges, IPv6 unique-local and
//    site-local. The table in peer_filter.cc lists them with their RFCs.
//
// An IPv6 address with IPv4 addresses in it (EmbeddedIpv4) is open only if each of them is open on
// its own: `allow` must name the embedded address, not only its disguise.
class PeerFilter {
 public:
  struct Options {
    IpSet allow{};
    IpSet deny{};
    std::vector<TransportAddress> listeners{};  // own listeners, admin included
    std::vector<IpAddress> local_addresses{};   // the host's own addresses
    std::vector<IpAddress> relay_addresses{};   // own relay addresses, bound and advertised
    uint16_t min_relay_port = 0;                // both inclusive
    uint16_t max_relay_port = 0;
  };

  explicit PeerFilter(Options options);

  // PermitsAddress answers for CreatePermission, which names no port: whether some port of `ip` is
  // open. Permits still has to be asked before anything is sent.
  bool PermitsAddress(const IpAddress& ip) const;

  // Permits answers for ChannelBind, Send and Connect.
  bool Permits(const TransportAddress& peer) const;

 private:
  bool IsOpen(const IpAddress& ip, std::optional<uint16_t> port) const;
  bool IsOwnListener(const IpAddress& ip, uint16_t port) const;
  bool IsRelayAddress(const IpAddress& ip) const;
  bool IsOwnAddress(const IpAddress& ip) const;

  Options options_;
};

// EmbeddedIpv4 returns the IPv4 addresses that an IPv6 address may lead to, from these forms:
// IPv4-mapped (::ffff:0:0/96) and IPv4-compatible (::/96; RFC 4291 §2.5.5), NAT64's well-known
// prefix (64:ff9b::/96; RFC 6052) and local-use prefix (64:ff9b:1::/48; RFC 8215), 6to4 (2002::/16;
// RFC 3056), Teredo (2001::/32: its server and its client; RFC 4380). Empty for IPv4 and any other
// address.
std::vector<IpAddress> EmbeddedIpv4(const IpAddress& ip);

}  // namespace turnpike
