#include "config/dns_zone.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <span>
#include <vector>

#include "config/formats.h"

namespace turnpike::config {
namespace {

// Service is a way to an edge as DNS names it.
struct Service {
  std::string_view srv;
  std::string_view naptr;  // empty: of STUN, which has none
  std::vector<uint16_t> Edge::* ports;
};

// In the order of preference. NAPTR's services are RFC 5928's, and `turn.dtls` RFC 7350's.
constexpr Service kServices[] = {
    {"_stun._udp", "", &Edge::udp},          {"_stun._tcp", "", &Edge::tcp},
    {"_stuns._tcp", "", &Edge::tls},         {"_stuns._udp", "", &Edge::dtls},
    {"_turn._udp", "turn.udp", &Edge::udp},  {"_turns._udp", "turn.dtls", &Edge::dtls},
    {"_turns._tcp", "turn.tls", &Edge::tls}, {"_turn._tcp", "turn.tcp", &Edge::tcp},
};

// TargetsOf names an edge's hosts; without any it is called EDGE.`domain`, since SRV takes no
// addresses.
std::vector<std::string> TargetsOf(const Edge& edge, const std::string& domain) {
  return edge.hosts.empty() ? std::vector{edge.name + "." + domain} : edge.hosts;
}

bool IsWithin(std::string_view name, std::string_view domain) {
  return name == domain ||
         (name.ends_with(domain) && name.substr(0, name.size() - domain.size()).ends_with('.'));
}

void AddAddresses(const Edge& edge, const std::string& domain, std::set<std::string>& lines) {
  for (const std::string& host : TargetsOf(edge, domain)) {
    if (!IsWithin(host, domain)) continue;
    for (const IpAddress& address : edge.addresses) {
      lines.insert(
          fmt::format("{}. IN {} {}\n", host, address.is_v4() ? "A" : "AAAA", address.ToString()));
    }
  }
}

// Services renders SRV and NAPTR of `edges` at `name`.
std::string Services(std::span<const Edge> edges, const std::string& name,
                     const std::string& domain) {
  std::string text;
  int preference = 0;
  for (const Service& service : kServices) {
    std::string records;
    for (const Edge& edge : edges) {
      for (const std::string& host : TargetsOf(edge, domain)) {
        for (const uint16_t port : edge.*service.ports) {
          records += fmt::format("{}.{}. IN SRV 0 10 {} {}.\n", service.srv, name, port, host);
        }
      }
    }
    if (records.empty()) continue;
    text += records;
    if (service.naptr.empty()) continue;
    preference += 10;
    text += fmt::format("{}. IN NAPTR 100 {} \"s\" \"RELAY:{}\" \"\" {}.{}.\n", name, preference,
                        service.naptr, service.srv, name);
  }
  return text;
}

}  // namespace

std::expected<std::string, std::string> DnsZone(const Config& config, std::string_view domain) {
  if (domain.ends_with('.')) domain.remove_suffix(1);
  const auto zone = HostName::Read(domain);
  if (!zone) return std::unexpected("the domain " + zone.error());
  const std::vector<Edge>& edges = config.fleet.edges;
  if (edges.empty()) {
    return std::unexpected("the configuration lists no edges; write them in fleet.edges");
  }
  std::set<std::string> addresses;
  for (const Edge& edge : edges) {
    const auto is_within = [&](const std::string& host) { return IsWithin(host, *zone); };
    if (edge.addresses.empty() && std::ranges::any_of(TargetsOf(edge, *zone), is_within)) {
      return std::unexpected("the edge " + edge.name +
                             " has names in the zone and no addresses for them; write them in its "
                             "`addresses`");
    }
    AddAddresses(edge, *zone, addresses);
  }
  std::string text =
      fmt::format("; Records for the zone {}, beside its SOA and NS.\n$TTL 300\n\n", *zone);
  for (const std::string& line : addresses) text += line;
  text += "\n; Every edge\n" + Services(edges, *zone, *zone);
  for (const Edge& edge : edges) {
    text += fmt::format("\n; {}, {}\n", edge.name, edge.region) +
            Services(std::span(&edge, 1), edge.name + "." + *zone, *zone);
  }
  return text;
}

}  // namespace turnpike::config
