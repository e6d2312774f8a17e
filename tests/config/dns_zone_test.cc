#include "config/dns_zone.h"

#include <doctest/doctest.h>

#include "tests/config/support.h"

namespace turnpike::config {
namespace {

Config Read(std::string_view edges) {
  const auto config = Parse(std::string(kUser) + "fleet: {edges: [" + std::string(edges) + "]}\n",
                            "turnpike.yaml", TestEnvironment);
  REQUIRE(config);
  return *config;
}

TEST_CASE("RFC 5928 §4: NAPTR leads to SRV, SRV to hosts and ports, these to addresses") {
  const auto zone =
      DnsZone(Read("{name: ashburn, region: us1, hosts: [turn-us1.example.com],\n"
                   " addresses: [203.0.113.7, \"2001:db8::7\"], tcp: [], tls: [443]},\n"
                   "{name: dublin, region: ie1, addresses: [203.0.113.9], tcp: [3478, 80]}"),
              "example.com.");
  REQUIRE(zone);
  CHECK(*zone ==
        "; Records for the zone example.com, beside its SOA and NS.\n$TTL 300\n\n"
        "dublin.example.com. IN A 203.0.113.9\n"
        "turn-us1.example.com. IN A 203.0.113.7\n"
        "turn-us1.example.com. IN AAAA 2001:db8::7\n"
        "\n; Every edge\n"
        "_stun._udp.example.com. IN SRV 0 10 3478 turn-us1.example.com.\n"
        "_stun._udp.example.com. IN SRV 0 10 3478 dublin.example.com.\n"
        "_stun._tcp.example.com. IN SRV 0 10 3478 dublin.example.com.\n"
        "_stun._tcp.example.com. IN SRV 0 10 80 dublin.example.com.\n"
        "_stuns._tcp.example.com. IN SRV 0 10 443 turn-us1.example.com.\n"
        "_turn._udp.example.com. IN SRV 0 10 3478 turn-us1.example.com.\n"
        "_turn._udp.example.com. IN SRV 0 10 3478 dublin.example.com.\n"
        "example.com. IN NAPTR 100 10 \"s\" \"RELAY:turn.udp\" \"\" _turn._udp.example.com.\n"
        "_turns._tcp.example.com. IN SRV 0 10 443 turn-us1.example.com.\n"
        "example.com. IN NAPTR 100 20 \"s\" \"RELAY:turn.tls\" \"\" _turns._tcp.example.com.\n"
        "_turn._tcp.example.com. IN SRV 0 10 3478 dublin.example.com.\n"
        "_turn._tcp.example.com. IN SRV 0 10 80 dublin.example.com.\n"
        "example.com. IN NAPTR 100 30 \"s\" \"RELAY:turn.tcp\" \"\" _turn._tcp.example.com.\n"
        "\n; ashburn, us1\n"
        "_stun._udp.ashburn.example.com. IN SRV 0 10 3478 turn-us1.example.com.\n"
        "_stuns._tcp.ashburn.example.com. IN SRV 0 10 443 turn-us1.example.com.\n"
        "_turn._udp.ashburn.example.com. IN SRV 0 10 3478 turn-us1.example.com.\n"
        "ashburn.example.com. IN NAPTR 100 10 \"s\" \"RELAY:turn.udp\" \"\" "
        "_turn._udp.ashburn.example.com.\n"
        "_turns._tcp.ashburn.example.com. IN SRV 0 10 443 turn-us1.example.com.\n"
        "ashburn.example.com. IN NAPTR 100 20 \"s\" \"RELAY:turn.tls\" \"\" "
        "_turns._tcp.ashburn.example.com.\n"
        "\n; dublin, ie1\n"
        "_stun._udp.dublin.example.com. IN SRV 0 10 3478 dublin.example.com.\n"
        "_stun._tcp.dublin.example.com. IN SRV 0 10 3478 dublin.example.com.\n"
        "_stun._tcp.dublin.example.com. IN SRV 0 10 80 dublin.example.com.\n"
        "_turn._udp.dublin.example.com. IN SRV 0 10 3478 dublin.example.com.\n"
        "dublin.example.com. IN NAPTR 100 10 \"s\" \"RELAY:turn.udp\" \"\" "
        "_turn._udp.dublin.example.com.\n"
        "_turn._tcp.dublin.example.com. IN SRV 0 10 3478 dublin.example.com.\n"
        "_turn._tcp.dublin.example.com. IN SRV 0 10 80 dublin.example.com.\n"
        "dublin.example.com. IN NAPTR 100 20 \"s\" \"RELAY:turn.tcp\" \"\" "
        "_turn._tcp.dublin.example.com.\n");
}

TEST_CASE("names of other zones get no addresses, and what the zone lacks is said") {
  constexpr std::string_view kElsewhere = "{name: a, region: r, hosts: [turn.notexample.com]}";
  const auto zone = DnsZone(Read(kElsewhere), "example.com");
  REQUIRE(zone);
  CHECK_FALSE(zone->contains(" IN A "));
  CHECK(zone->contains("_turn._udp.example.com. IN SRV 0 10 3478 turn.notexample.com."));
  CHECK(DnsZone(Read(kElsewhere), "not a name").error() ==
        "the domain is not a host name, such as turn.example.com");
  CHECK(DnsZone(Read("{name: a, region: r, hosts: [turn.example.com]}"), "example.com")
            .error()
            .contains("no addresses"));
  CHECK(DnsZone(Defaults(), "example.com").error().contains("fleet.edges"));
}

}  // namespace
}  // namespace turnpike::config
