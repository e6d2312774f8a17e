#include "common/net/edge.h"

#include <doctest/doctest.h>

namespace turnpike {
namespace {

using Strings = std::vector<std::string>;

std::vector<IpAddress> Ips(const Strings& texts) {
  std::vector<IpAddress> ips;
  for (const std::string& text : texts) ips.push_back(*IpAddress::Parse(text));
  return ips;
}

TEST_CASE("URIs name every host, port and transport (RFC 7064, RFC 7065)") {
  const Edge edge{.name = "ashburn",
                  .region = "us1",
                  .hosts = {"turn-us1.example.com"},
                  .addresses = Ips({"203.0.113.7"}),
                  .tcp = {3478, 443},
                  .tls = {5349},
                  .dtls = {5349}};
  CHECK(StunUris(edge) == Strings{"stun:turn-us1.example.com:3478"});
  CHECK(TurnUris(edge) == Strings{"turn:turn-us1.example.com:3478?transport=udp",
                                  "turn:turn-us1.example.com:3478?transport=tcp",
                                  "turn:turn-us1.example.com:443?transport=tcp",
                                  "turns:turn-us1.example.com:5349?transport=tcp",
                                  "turns:turn-us1.example.com:5349?transport=udp"});
}

TEST_CASE("URIs of an edge without names hold its addresses, IPv6 in brackets") {
  const Edge edge{.name = "a",
                  .region = "r",
                  .hosts = {},
                  .addresses = Ips({"203.0.113.7", "2001:db8::7"}),
                  .tcp = {}};
  CHECK(TurnUris(edge) ==
        Strings{"turn:203.0.113.7:3478?transport=udp", "turn:[2001:db8::7]:3478?transport=udp"});
}

TEST_CASE("the nearest edge is that of the narrowest range") {
  const auto set = [](std::string_view range) { return IpSet({*IpRange::Parse(range)}); };
  const std::vector<Edge> edges = {{.name = "wide", .clients = set("198.51.0.0/16")},
                                   {.name = "narrow", .clients = set("198.51.100.0/24")},
                                   {.name = "none"}};
  const auto nearest = [&](std::string_view ip) {
    const Edge* const edge = NearestEdge(edges, *IpAddress::Parse(ip));
    return edge == nullptr ? "" : edge->name;
  };
  CHECK(nearest("198.51.100.9") == "narrow");
  CHECK(nearest("198.51.7.9") == "wide");
  CHECK(nearest("203.0.113.9") == "");
  CHECK(nearest("2001:db8::1") == "");
  CHECK(FindEdge(edges, "none") == &edges[2]);
  CHECK(FindEdge(edges, "gone") == nullptr);
}

}  // namespace
}  // namespace turnpike
