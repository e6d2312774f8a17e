#include "server/setup.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "config/own_edge.h"
#include "config/rates.h"
#include "server/host_addresses.h"
#include "server/io/stream_listener.h"
#include "server/io/stun_query.h"

namespace turnpike {
namespace {

// ParseDigest reads what the configuration has checked: 64 lower-case hexadecimal digits.
Sha256Digest ParseDigest(std::string_view text) {
  const auto digit = [](char c) { return static_cast<uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); };
  Sha256Digest digest{};
  for (size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<uint8_t>(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
  }
  return digest;
}

std::shared_ptr<const Credentials> MakeCredentials(const config::Config& config) {
  std::vector<Credentials::User> users;
  for (const config::UserConfig& user : config.auth.users) {
    users.push_back({user.username, user.password, user.account, user.label});
  }
  return std::make_shared<const Credentials>(config.auth.realm, users, config.auth.secrets);
}

// NatDiscoveryListeners returns the four listeners of RFC 5780, or none.
std::vector<TransportAddress> NatDiscoveryListeners(const config::Config& config) {
  std::vector<TransportAddress> listeners;
  for (const IpAddress& ip : config.nat_discovery.addresses) {
    for (const uint16_t port : config.nat_discovery.ports) listeners.push_back({ip, port});
  }
  return listeners;
}

std::shared_ptr<const PeerFilter> MakePeerFilter(const config::Config& config,
                                                 const std::vector<RelayAddress>& relays,
                                                 const std::vector<IpAddress>& host) {
  PeerFilter::Options options;
  options.allow = config.relay.peers.allow;
  options.deny = config.relay.peers.deny;
  for (const config::Listener& listener : config.listen) {
    options.listeners.push_back(listener.address);
  }
  for (const TransportAddress& address : NatDiscoveryListeners(config)) {
    options.listeners.push_back(address);
  }
  options.listeners.push_back(config.admin.address);
  if (config.api.address.port != 0) options.listeners.push_back(config.api.address);
  options.local_addresses = host;
  for (const RelayAddress& relay : relays) {
    options.relay_addresses.push_back(relay.bind);
    options.relay_addresses.push_back(relay.advertise);
  }
  options.min_relay_port = config.relay.ports.first;
  options.max_relay_port = config.relay.ports.last;
  return std::make_shared<const PeerFilter>(std::move(options));
}

// FindPublicAddress is what `advertise: auto` means.
std::expected<IpAddress, std::string> FindPublicAddress(const IpAddress& bind,
                                                        const std::string& stun_server) {
  if (!stun_server.empty()) return QueryPublicAddress(bind, {.server = stun_server});
  if (IsPublic(bind)) return bind;
  return std::unexpected(
      "its public address cannot be found out without relay.stun_server: set that");
}

}  // namespace

std::expected<std::vector<RelayAddress>, std::string> ResolveRelayAddresses(
    const config::Config& config, const std::vector<IpAddress>& host) {
  std::vector<RelayAddress> relays;
  for (const config::RelayAddressConfig& each : config.relay.addresses) {
    if (!IsLoopback(each.bind) && std::ranges::find(host, each.bind) == host.end()) {
      return std::unexpected("relay address " + each.bind.ToString() +
                             " is not an address of this host; `bind` must be one, and `advertise` "
                             "is what clients are told");
    }
    if (!each.advertise_auto) {
      relays.push_back({each.bind, each.advertise.value_or(each.bind)});
      continue;
    }
    const auto found = FindPublicAddress(each.bind, config.relay.stun_server);
    if (!found) {
      return std::unexpected("relay address " + each.bind.ToString() + ": " + found.error() +
                             "; write it as `advertise`");
    }
    relays.push_back({each.bind, *found});
  }
  if (!relays.empty()) return relays;
  for (const IpAddress& ip : ChooseRelayAddresses(host)) relays.push_back({ip, ip});
  if (relays.empty()) {
    return std::unexpected("this host has no address to relay on; name one in relay.addresses");
  }
  return relays;
}

config::Config ForHost(config::Config config, bool has_ipv6) {
  const auto lost = [&](const config::Listener& listener) {
    return !has_ipv6 && !listener.address.ip.is_v4() && listener.address.ip.is_unspecified();
  };
  if (!std::ranges::all_of(config.listen, lost)) std::erase_if(config.listen, lost);
  return config;
}

std::vector<UdpListenOptions> UdpListeners(const config::Config& config) {
  const std::vector<TransportAddress> discovery = NatDiscoveryListeners(config);
  std::vector<UdpListenOptions> listeners(discovery.begin(), discovery.end());
  for (const config::Listener& listener : config.listen) {
    if (IsStream(listener.transport)) continue;
    auto same = std::ranges::find(listeners, listener.address, &UdpListenOptions::address);
    // Port 0 is a different port for each.
    if (same == listeners.end() || listener.address.port == 0) {
      same = listeners.insert(listeners.end(), {listener.address, false, false});
    }
    (listener.transport == Transport::kDtls ? same->dtls : same->plain) = true;
  }
  return listeners;
}

std::vector<StreamListenOptions> StreamListeners(const config::Config& config) {
  std::vector<StreamListenOptions> listeners;
  for (const config::Listener& listener : config.listen) {
    if (!IsStream(listener.transport)) continue;
    auto same = std::ranges::find(listeners, listener.address, &StreamListenOptions::address);
    // Port 0 is a different port for each.
    if (same == listeners.end() || listener.address.port == 0) {
      same = listeners.insert(listeners.end(), {listener.address, false, false});
    }
    (listener.transport == Transport::kTls ? same->tls : same->plain) = true;
  }
  return listeners;
}

UdpPath ChooseUdpPath(config::UdpPathWord wanted, UdpPath fastest) {
  switch (wanted) {
    case config::UdpPathWord::kPlain:
      return UdpPath::kPlain;
    case config::UdpPathWord::kBatch:
      return std::min(UdpPath::kBatch, fastest);
    case config::UdpPathWord::kAuto:
    case config::UdpPathWord::kOffload:
      break;
  }
  return fastest;
}

StreamOptions MakeStreamOptions(const config::Config& config) {
  StreamOptions options;
  options.first_message_timeout = config.limits.handshake_timeout;
  options.idle_timeout = config.limits.idle_timeout;
  options.write_timeout = config.limits.write_timeout;
  options.write_queue_bytes = config.limits.write_queue_bytes;
  return options;
}

std::expected<ApiSettings, std::string> MakeApiSettings(const config::Config& config) {
  ApiSettings settings;
  if (!config.metering.rates.empty()) {
    auto rates = config::LoadRates(config.metering.rates);
    if (!rates) return std::unexpected(rates.error().front().ToString());
    settings.rates = std::move(*rates);
  }
  if (!config.auth.secrets.empty()) settings.secret = config.auth.secrets.front();
  settings.trusted_proxies = config.api.trusted_proxies;
  settings.webhook_networks = config.api.webhook_networks;
  settings.webhook_authorities = config.api.webhook_authorities;
  settings.requests_per_second = config.api.requests_per_second;
  settings.requests_per_second_per_address = config.api.requests_per_second_per_address;
  for (const config::ApiAccountConfig& each : config.api.accounts) {
    ApiAccount& account = settings.accounts.emplace_back(
        ApiAccount{each.sid, each.account, each.name, each.disabled, {}});
    for (const std::string& hash : each.token_hashes) {
      account.secrets.push_back({SecretKind::kToken, ParseDigest(hash)});
    }
    for (const std::string& hash : each.key_hashes) {
      account.secrets.push_back({SecretKind::kKey, ParseDigest(hash)});
    }
  }
  settings.edges = config.fleet.edges;
  settings.edge_choice = config.fleet.choice;
  settings.nettest.account = config.api.nettest.account;
  settings.nettest.per_minute = config.api.nettest.per_minute;
  if (settings.edges.empty()) {
    std::array<char, 256> name{};
    const bool has_name = gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0';
    settings.edges = {config::OwnEdge(config, has_name ? name.data() : "localhost")};
  }
  return settings;
}

LimitOptions MakeLimits(const config::Config& config) {
  const config::Config::Limits& limits = config.limits;
  return {.allocations = limits.allocations,
          .allocations_per_username = limits.allocations_per_username,
          .allocations_per_account = limits.allocations_per_account,
          .allocations_per_address = limits.allocations_per_address,
          .session_bandwidth = limits.session_bandwidth / 8,
          .account_bandwidth = limits.account_bandwidth / 8,
          .session_packets = limits.session_packets};
}

TurnOptions MakeTurnOptions(const config::Config& config, const std::vector<RelayAddress>& relays,
                            const std::vector<IpAddress>& host) {
  TurnOptions options;
  options.realm = config.auth.realm;
  options.relay_addresses = relays;
  options.credentials = MakeCredentials(config);
  options.peer_filter = MakePeerFilter(config, relays, host);
  options.default_lifetime = config.limits.default_lifetime;
  options.max_lifetime = config.limits.max_lifetime;
  options.max_unauthenticated_answers = config.limits.unauthenticated_answers;
  options.max_allocation_attempts = config.limits.allocation_attempts;
  options.max_nesting = config.limits.relay_hops;
  options.max_unanswered_bytes = config.limits.unanswered_bytes;
  options.mobility = config.mobility;
  options.strict_expiry = config.auth.strict_expiry;
  options.nonce_lifetime = config.auth.nonce_lifetime;
  options.max_permissions = config.limits.permissions_per_allocation;
  options.max_channels = config.limits.channels_per_allocation;
  options.max_peer_connections = config.limits.peer_connections_per_allocation;
  options.limits = MakeLimits(config);
  for (const config::AlternateServerConfig& each : config.alternate_servers) {
    options.alternate_servers.push_back({each.address, each.port, each.tls_port, each.domain});
  }
  options.redirect_always = config.redirect == config::Redirect::kAlways;
  const auto& [addresses, ports] = config.nat_discovery;
  if (addresses.size() == 2) {
    options.nat_discovery =
        NatDiscovery{.addresses = {addresses[0], addresses[1]}, .ports = {ports[0], ports[1]}};
  }
  return options;
}

std::expected<void, std::string> CheckListenersFree(
    const std::vector<UdpListenOptions>& udp, const std::vector<StreamListenOptions>& streams) {
  for (const UdpListenOptions& listener : udp) {
    if (auto free = CheckUdpAddressFree(listener.address); !free) return free;
  }
  for (const StreamListenOptions& listener : streams) {
    if (auto free = CheckTcpAddressFree(listener.address); !free) return free;
  }
  return {};
}

}  // namespace turnpike
