#include "config/check.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/log.h"
#include "config/substitute.h"

namespace turnpike::config {
namespace {

// RFC 8489 §18.6: 3478, and 5349 over TLS and DTLS.
constexpr uint16_t kTurnPort = 3478;
constexpr uint16_t kTurnsPort = 5349;

bool IsSecure(Transport transport) {
  return transport == Transport::kTls || transport == Transport::kDtls;
}

std::string Indexed(std::string_view list, size_t index) {
  return std::string(list) + "[" + std::to_string(index) + "]";
}

void CheckListeners(const Config& config, Findings& findings) {
  if (findings.IsBad("listen")) return;
  if (config.listen.empty()) {
    findings.Add(
        "listen",
        "holds no listener; add one, or remove the key for udp and tcp on port 3478 of all "
        "addresses");
  }
  std::set<std::pair<Transport, TransportAddress>> sockets;
  for (size_t i = 0; i < config.listen.size(); ++i) {
    const Listener& listener = config.listen[i];
    // TCP and TLS may share a port: the first byte of a connection tells which it is. So may UDP
    // and DTLS, where the first byte of a datagram does.
    if (!sockets.emplace(listener.transport, listener.address).second) {
      findings.Add(Indexed("listen", i), "listens on " + listener.address.ToString() +
                                             " like an entry before it; remove one, or give it "
                                             "another port");
    }
  }
}

void CheckRelayAddresses(const Config& config, Findings& findings) {
  std::set<IpAddress> bound;
  std::set<IpAddress> advertised;
  for (size_t i = 0; i < config.relay.addresses.size(); ++i) {
    const RelayAddressConfig& entry = config.relay.addresses[i];
    const std::string key = Indexed("relay.addresses", i);
    if (findings.IsBad(key)) continue;
    if (entry.bind.is_unspecified()) {
      findings.Add(key + ".bind", entry.bind.ToString() +
                                      " is not one address; name the host's own, or remove "
                                      "relay.addresses to have it found");
    } else if (!bound.insert(entry.bind).second) {
      findings.Add(key + ".bind", entry.bind.ToString() + " is bound by an entry before it");
    } else if (const IpAddress seen = entry.advertise.value_or(entry.bind);
               !entry.advertise_auto && !advertised.insert(seen).second) {
      // The server tells its relays apart by what peers see: two behind one address would get each
      // other's datagrams.
      findings.Add(key + (entry.advertise ? ".advertise" : ".bind"),
                   seen.ToString() + " is what peers see of an entry before it; give each its own");
    }
    if (!entry.advertise) continue;
    if (entry.advertise->is_unspecified()) {
      findings.Add(key + ".advertise", entry.advertise->ToString() +
                                           " can be reached by nobody; name an address, or auto");
    } else if (entry.advertise->family() != entry.bind.family()) {
      findings.Add(key + ".advertise", entry.advertise->ToString() + " is not of the family of " +
                                           entry.bind.ToString() +
                                           "; use two IPv4 addresses or two IPv6 addresses");
    }
  }
}

void CheckNatDiscovery(const Config& config, Findings& findings) {
  if (findings.IsBad("nat_discovery")) return;
  const auto& [addresses, ports] = config.nat_discovery;
  if (addresses.empty()) return;
  const bool two = addresses.size() == 2 && addresses[0] != addresses[1] &&
                   addresses[0].family() == addresses[1].family();
  if (!two || addresses[0].is_unspecified() || addresses[1].is_unspecified()) {
    findings.Add("nat_discovery.addresses",
                 "takes two different addresses of one family, each one of this host's");
  }
  if (ports.size() != 2 || ports[0] == ports[1]) {
    findings.Add("nat_discovery.ports", "takes two different ports, such as [3478, 3479]");
  }
}

void CheckCaps(const Config& config, Findings& findings) {
  for (size_t i = 0; i < config.caps.size(); ++i) {
    const Cap& cap = config.caps[i];
    const std::string name = Indexed("caps", i);
    if (findings.IsBad(name)) continue;
    if (cap.bytes.has_value() == cap.money.has_value()) {
      findings.Add(name, cap.bytes ? "has both bytes and money; make them two caps"
                                   : "caps nothing; write bytes or money");
    } else if (cap.money && config.metering.rates.empty()) {
      findings.Add(name + ".money", "has no prices to go by; name a file in metering.rates");
    }
    for (size_t other = 0; other < i; ++other) {
      const Cap& first = config.caps[other];
      if (std::tie(cap.account, cap.label, cap.period, cap.bytes, cap.money) ==
          std::tie(first.account, first.label, first.period, first.bytes, first.money)) {
        findings.Add(name,
                     "says the same as " + Indexed("caps", other) + "; remove one of the two");
        break;
      }
    }
  }
}

void CheckAlternates(const Config& config, Findings& findings) {
  for (size_t i = 0; i < config.alternate_servers.size(); ++i) {
    const AlternateServerConfig& each = config.alternate_servers[i];
    const std::string key = Indexed("alternate_servers", i) + ".address";
    if (findings.IsBad(Indexed("alternate_servers", i))) continue;
    if (each.address.is_unspecified()) {
      findings.Add(key, each.address.ToString() + " can be reached by nobody; name one address");
      continue;
    }
    for (const Listener& listener : config.listen) {
      const uint16_t port = IsSecure(listener.transport) ? each.tls_port : each.port;
      if (listener.address != TransportAddress{each.address, port}) continue;
      findings.Add(key, listener.address.ToString() +
                            " is this server itself: clients would go round in circles; name "
                            "another server");
      break;
    }
  }
  if (config.redirect == Redirect::kAlways && config.alternate_servers.empty() &&
      !findings.IsBad("alternate_servers")) {
    findings.Add("redirect", "there is nowhere to send clients to; add alternate_servers");
  }
}

void CheckUsers(const Config& config, Findings& findings) {
  const Config::Auth& auth = config.auth;
  const bool may_be_misspelt = findings.IsBad("auth.users") || findings.IsBad("auth.secrets") ||
                               findings.HasUnknownKey("auth") || findings.HasUnknownKey("");
  if (auth.users.empty() && auth.secrets.empty() && !may_be_misspelt) {
    findings.Add(
        "auth",
        "there is nobody who may allocate; add auth.secrets for time-limited credentials, or "
        "auth.users: [{username: …, password: …}]");
  }
  std::set<std::string_view> names;
  for (size_t i = 0; i < auth.users.size(); ++i) {
    const UserConfig& user = auth.users[i];
    const std::string key = Indexed("auth.users", i);
    if (user.username.empty()) continue;  // reported as missing or wrong
    if (!names.insert(user.username).second) {
      findings.Add(key + ".username",
                   "`" + EscapeText(user.username) + "` is the name of an entry before it");
    }
    if (user.account.size() > 128 && !findings.IsBad(key + ".account")) {
      findings.Add(key + ".account",
                   "is missing, and the username is too long to stand for it; add an account of at "
                   "most 128 bytes");
    }
  }
  for (size_t i = 0; i < auth.secrets.size(); ++i) {
    const auto begin = auth.secrets.begin();
    if (std::find(begin, begin + static_cast<std::ptrdiff_t>(i), auth.secrets[i]) !=
        begin + static_cast<std::ptrdiff_t>(i)) {
      findings.Add(Indexed("auth.secrets", i), "is the same as a secret before it; remove one");
    }
  }
}

void CheckLimits(const Config& config, Findings& findings) {
  const Config::Limits& limits = config.limits;
  if (findings.IsBad("limits") || limits.default_lifetime <= limits.max_lifetime) return;
  findings.Add("limits.default_lifetime",
               FormatDuration(limits.default_lifetime) + " is longer than limits.max_lifetime (" +
                   FormatDuration(limits.max_lifetime) + "); shorten it, or raise the other");
}

void CheckFleet(const Config& config, Findings& findings) {
  const std::vector<Edge>& edges = config.fleet.edges;
  for (size_t i = 0; i < edges.size(); ++i) {
    const std::string key = Indexed("fleet.edges", i);
    if (findings.IsBad(key)) continue;
    const Edge* const first = FindEdge(edges, edges[i].name);
    if (first != &edges[i]) {
      findings.Add(key + ".name", "`" + edges[i].name + "` is the name of an edge before it");
    }
    if (edges[i].hosts.empty() && edges[i].addresses.empty()) {
      findings.Add(key, "cannot be reached by anybody; write hosts, addresses or both");
    }
    if (TurnUris(edges[i]).empty() && !edges[i].HostNames().empty()) {
      findings.Add(key, "has no port; write udp, tcp, tls or dtls");
    }
  }
}

void CheckApi(const Config& config, Findings& findings) {
  std::set<std::string_view> sids;
  for (size_t i = 0; i < config.api.accounts.size(); ++i) {
    const ApiAccountConfig& each = config.api.accounts[i];
    const std::string key = Indexed("api.accounts", i);
    if (findings.IsBad(key)) continue;
    if (!sids.insert(each.sid).second) {
      findings.Add(key + ".sid", each.sid + " is the SID of an entry before it");
    }
    if (each.account.contains(':')) {
      findings.Add(key + ".account", "has a colon, which separates account and label in usernames");
    }
    if (each.token_hashes.empty() && each.key_hashes.empty()) {
      findings.Add(key, "can show nothing; write token_hashes, key_hashes or both");
    }
  }
}

void CheckTls(const Config& config, Findings& findings) {
  if (findings.IsBad("tls")) return;
  const Config::Tls& tls = config.tls;
  if (tls.certificate.empty() != tls.key.empty()) {
    const bool lacks_key = tls.key.empty();
    findings.Add(lacks_key ? "tls.key" : "tls.certificate",
                 std::string("is missing, but tls.") + (lacks_key ? "certificate" : "key") +
                     " is set; set both or none");
  }
  if (tls.versions.empty()) {
    findings.Add("tls.versions", "holds no version; use [1.2, 1.3], [1.2] or [1.3]");
  }
}

void CheckNettest(const Config& config, Findings& findings) {
  const std::string& account = config.api.nettest.account;
  if (account.empty() || findings.IsBad("api.nettest.account")) return;
  if (account.find(':') != std::string::npos) {
    findings.Add("api.nettest.account", "has a colon, which divides account and label");
  } else if (config.auth.secrets.empty() && !findings.IsBad("auth.secrets")) {
    findings.Add("api.nettest.account",
                 "needs a secret to make credentials with; name one in auth.secrets");
  }
}

}  // namespace

void FillIn(Config& config, const std::string& directory) {
  for (Listener& listener : config.listen) {
    if (listener.address.port != 0) continue;
    listener.address.port = IsSecure(listener.transport) ? kTurnsPort : kTurnPort;
  }
  for (UserConfig& user : config.auth.users) {
    if (user.account.empty()) user.account = user.username;
  }
  for (std::string* path : {&config.tls.certificate, &config.tls.key, &config.metering.directory,
                            &config.metering.rates, &config.metering.backup.directory}) {
    *path = ResolvePath(*path, directory);
  }
}

void CheckWhole(const Config& config, Findings& findings) {
  CheckListeners(config, findings);
  CheckRelayAddresses(config, findings);
  CheckNatDiscovery(config, findings);
  CheckAlternates(config, findings);
  CheckCaps(config, findings);
  CheckUsers(config, findings);
  CheckLimits(config, findings);
  CheckTls(config, findings);
  CheckFleet(config, findings);
  CheckApi(config, findings);
  CheckNettest(config, findings);
  if (config.metering.directory.empty() && !findings.IsBad("metering.directory")) {
    findings.Add("metering.directory", "is empty; name a directory that outlives the process");
  }
}

}  // namespace turnpike::config
