#include "config/allowlist.h"

#include <algorithm>
#include <optional>

namespace turnpike::config {
namespace {

IpRange RangeOf(const IpAddress& ip) {
  return {.base = ip, .prefix_bits = static_cast<uint8_t>(ip.is_v4() ? 32 : 128)};
}

std::string PurposeOf(Transport transport) {
  switch (transport) {
    case Transport::kUdp:
      return "STUN and TURN over UDP";
    case Transport::kTcp:
      return "TURN over TCP";
    case Transport::kTls:
      return "TURN over TLS";
    case Transport::kDtls:
      return "TURN over DTLS";
  }
  return {};
}

// Maker gathers rows.
class Maker {
 public:
  Maker(const Config& config, std::vector<IpAddress> addresses)
      : config_(config), addresses_(std::move(addresses)) {}

  std::vector<AllowRow> Make() {
    for (const Listener& listener : config_.listen) AddListener(listener);
    for (const IpAddress& bind : config_.nat_discovery.addresses) {
      for (const uint16_t port : config_.nat_discovery.ports) {
        Add(config_.edge, false, SeenAs(bind), {port, port}, "NAT discovery (RFC 5780)");
      }
    }
    AddAlternates();
    // Last, since most networks need none of it: a client's media is inside what is above.
    for (const IpAddress& ip : addresses_) {
      Add(config_.edge, false, ip, config_.relay.ports,
          "media of peers that send to a relayed address; not needed by clients of the relay");
    }
    if (config_.limits.peer_connections_per_allocation == 0 || !HasStreams()) return rows_;
    for (const IpAddress& ip : addresses_) {
      Add(config_.edge, true, ip, config_.relay.ports,
          "TCP of peers that connect to a relayed address (RFC 6062)");
    }
    return rows_;
  }

 private:
  void Add(const std::string& edge, bool is_tcp, const IpAddress& ip, PortRange ports,
           std::string purpose) {
    AllowRow row{edge, is_tcp, RangeOf(ip), ports, std::move(purpose)};
    if (std::ranges::find(rows_, row) == rows_.end()) rows_.push_back(std::move(row));
  }

  void AddListener(const Listener& listener) {
    const IpAddress& bound = listener.address.ip;
    const PortRange ports{listener.address.port, listener.address.port};
    const bool is_tcp = IsStream(listener.transport);
    if (!bound.is_unspecified()) {
      Add(config_.edge, is_tcp, SeenAs(bound), ports, PurposeOf(listener.transport));
      return;
    }
    for (const IpAddress& ip : addresses_) {
      if (ip.family() != bound.family()) continue;
      Add(config_.edge, is_tcp, ip, ports, PurposeOf(listener.transport));
    }
  }

  // Clients may be sent there by the transport that they came with.
  void AddAlternates() {
    for (const AlternateServerConfig& other : config_.alternate_servers) {
      for (const Listener& listener : config_.listen) {
        const Transport transport = listener.transport;
        if (other.address.family() != listener.address.ip.family()) continue;
        const bool is_secure = transport == Transport::kTls || transport == Transport::kDtls;
        const uint16_t port = is_secure ? other.tls_port : other.port;
        Add(other.domain.empty() ? "alternate" : other.domain, IsStream(transport), other.address,
            {port, port}, PurposeOf(transport) + ", where clients may be sent");
      }
    }
  }

  // SeenAs is what the outside knows a bound address as: relay.addresses names 1:1 NATs.
  IpAddress SeenAs(const IpAddress& bound) const {
    for (const RelayAddressConfig& each : config_.relay.addresses) {
      if (each.bind == bound && each.advertise) return *each.advertise;
    }
    return bound;
  }

  bool HasStreams() const {
    return std::ranges::any_of(config_.listen,
                               [](const Listener& each) { return IsStream(each.transport); });
  }

  const Config& config_;
  const std::vector<IpAddress> addresses_;
  std::vector<AllowRow> rows_;
};

}  // namespace

std::expected<std::vector<AllowRow>, std::string> Allowlist(
    const Config& config, const std::vector<IpAddress>& addresses) {
  std::vector<IpAddress> known = addresses;
  if (known.empty()) {
    for (const RelayAddressConfig& each : config.relay.addresses) {
      if (each.advertise_auto) {
        return std::unexpected("the public address of " + each.bind.ToString() +
                               " is found out only when the server starts (advertise: auto); name "
                               "it with --address");
      }
      known.push_back(each.advertise.value_or(each.bind));
    }
  }
  if (known.empty()) {
    return std::unexpected(
        "relay.addresses names no address, so those of the server's host are used; name its public "
        "ones with --address");
  }
  return Maker(config, std::move(known)).Make();
}

}  // namespace turnpike::config
