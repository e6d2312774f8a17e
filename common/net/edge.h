// Edges: the sites of a fleet, and the URIs by which clients reach them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/net/ip_set.h"
#include "common/net/transport_address.h"

namespace turnpike {

// Edge is one site: nodes behind common names, addresses and ports.
struct Edge {
  std::string name = {};                  // a DNS label, unique in the fleet
  std::string region = {};                // as rate cards and reports name it
  std::vector<std::string> hosts = {};    // names; none: clients are given the addresses
  std::vector<IpAddress> addresses = {};  // what the names resolve to
  std::vector<uint16_t> udp = {3478};
  std::vector<uint16_t> tcp = {3478};
  std::vector<uint16_t> tls = {};
  std::vector<uint16_t> dtls = {};
  IpSet clients = {};  // networks whose nearest edge this is

  // HostNames returns what stands in URIs: `hosts`, or else the addresses, those of IPv6 in
  // brackets.
  std::vector<std::string> HostNames() const;

  friend bool operator==(const Edge&, const Edge&) = default;
};

// EdgeChoice says which edges a client is told of that asks for none by name.
enum class EdgeChoice : uint8_t { kNearest, kAll };

// StunUris lists `stun:` URIs (RFC 7064) of an edge, TurnUris `turn:` and `turns:` (RFC 7065), each
// with its transport: UDP, TCP, TLS, DTLS, and within them in the order of hosts and ports.
std::vector<std::string> StunUris(const Edge& edge);
std::vector<std::string> TurnUris(const Edge& edge);

// FindEdge returns the edge of that name, or nullptr.
const Edge* FindEdge(std::span<const Edge> edges, std::string_view name);

// NearestEdge returns the edge whose `clients` hold `ip` in the narrowest range, or nullptr when
// none does.
const Edge* NearestEdge(std::span<const Edge> edges, const IpAddress& ip);

}  // namespace turnpike
