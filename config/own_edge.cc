#include "config/own_edge.h"

#include <algorithm>
#include <optional>

namespace turnpike::config {
namespace {

std::optional<IpAddress> NamedAddress(const Config& config) {
  for (const Listener& listener : config.listen) {
    if (!listener.address.ip.is_unspecified()) return listener.address.ip;
  }
  for (const RelayAddressConfig& relay : config.relay.addresses) {
    if (relay.advertise) return relay.advertise;
  }
  return std::nullopt;
}

}  // namespace

Edge OwnEdge(const Config& config, const std::string& host_name) {
  Edge edge{.name = config.edge, .region = config.region, .udp = {}, .tcp = {}};
  if (const auto address = NamedAddress(config)) {
    edge.addresses = {*address};
  } else {
    edge.hosts = {host_name};
  }
  for (const Listener& listener : config.listen) {
    std::vector<uint16_t>& ports = listener.transport == Transport::kUdp   ? edge.udp
                                   : listener.transport == Transport::kTcp ? edge.tcp
                                   : listener.transport == Transport::kTls ? edge.tls
                                                                           : edge.dtls;
    if (std::ranges::count(ports, listener.address.port) == 0) {
      ports.push_back(listener.address.port);
    }
  }
  return edge;
}

}  // namespace turnpike::config
