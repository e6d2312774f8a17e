#include "common/net/edge.h"

#include <algorithm>

namespace turnpike {
namespace {

void AddUris(std::vector<std::string>& uris, const Edge& edge, std::string_view scheme,
             std::span<const uint16_t> ports, std::string_view query) {
  for (const std::string& host : edge.HostNames()) {
    for (const uint16_t port : ports) {
      uris.push_back(std::string(scheme) + ":" + host + ":" + std::to_string(port) +
                     std::string(query));
    }
  }
}

}  // namespace

std::vector<std::string> Edge::HostNames() const {
  if (!hosts.empty()) return hosts;
  std::vector<std::string> names;
  for (const IpAddress& ip : addresses) {
    names.push_back(ip.is_v4() ? ip.ToString() : "[" + ip.ToString() + "]");
  }
  return names;
}

std::vector<std::string> StunUris(const Edge& edge) {
  std::vector<std::string> uris;
  AddUris(uris, edge, "stun", edge.udp, "");
  return uris;
}

std::vector<std::string> TurnUris(const Edge& edge) {
  std::vector<std::string> uris;
  AddUris(uris, edge, "turn", edge.udp, "?transport=udp");
  AddUris(uris, edge, "turn", edge.tcp, "?transport=tcp");
  AddUris(uris, edge, "turns", edge.tls, "?transport=tcp");
  AddUris(uris, edge, "turns", edge.dtls, "?transport=udp");
  return uris;
}

const Edge* FindEdge(std::span<const Edge> edges, std::string_view name) {
  const auto found = std::ranges::find(edges, name, &Edge::name);
  return found == edges.end() ? nullptr : &*found;
}

const Edge* NearestEdge(std::span<const Edge> edges, const IpAddress& ip) {
  const Edge* nearest = nullptr;
  int bits = -1;
  for (const Edge& edge : edges) {
    for (const IpRange& range : edge.clients.ranges()) {
      if (range.prefix_bits <= bits || !range.Contains(ip)) continue;
      nearest = &edge;
      bits = range.prefix_bits;
    }
  }
  return nearest;
}

}  // namespace turnpike
