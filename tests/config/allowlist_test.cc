#include "config/allowlist.h"

#include <doctest/doctest.h>

#include "tests/config/support.h"

namespace turnpike::config {
namespace {

IpAddress Ip(std::string_view text) { return IpAddress::Parse(text).value(); }

// Lines renders rows, one a line, but for what they are for.
std::string Lines(const std::vector<AllowRow>& rows) {
  std::string text;
  for (const AllowRow& row : rows) {
    text += row.edge + (row.is_tcp ? " tcp " : " udp ") + row.range.ToString() + " " +
            std::to_string(row.ports.first) + "-" + std::to_string(row.ports.last) + "\n";
  }
  return text;
}

Config Read(const std::string& text) {
  const auto config =
      Parse("auth: {secrets: [s]}\nedge: ashburn\n" + text, "turnpike.yaml", TestEnvironment);
  REQUIRE(config);
  return *config;
}

TEST_CASE("an allowlist names listeners by the addresses that clients see") {
  const Config config = Read(
      "listen: [{transport: udp}, {transport: dtls, port: 3478}, {transport: tls, port: 443}]\n"
      "relay: {addresses: [{bind: 10.0.0.5, advertise: 203.0.113.7}, {bind: \"2001:db8::7\"}],\n"
      "        ports: 20000-30000}\n"
      "limits: {peer_connections_per_allocation: 0}\n");
  const auto rows = Allowlist(config, {});
  REQUIRE(rows);
  CHECK(Lines(*rows) ==
        "ashburn udp 203.0.113.7/32 3478-3478\n"
        "ashburn udp 203.0.113.7/32 3478-3478\n"
        "ashburn tcp 203.0.113.7/32 443-443\n"
        "ashburn udp 203.0.113.7/32 20000-30000\n"
        "ashburn udp 2001:db8::7/128 20000-30000\n");
  CHECK((*rows)[0].purpose == "STUN and TURN over UDP");
  CHECK((*rows)[1].purpose == "TURN over DTLS");
}

TEST_CASE("an allowlist has other servers, NAT discovery and TCP peers where there are any") {
  const Config config = Read(
      "listen: [{transport: udp, address: 192.0.2.1}, {transport: tls, address: 192.0.2.1}]\n"
      "relay: {addresses: [{bind: 192.0.2.1}]}\n"
      "nat_discovery: {addresses: [192.0.2.1, 192.0.2.2]}\n"
      "alternate_servers: [{address: 203.0.113.9, domain: relay-2.example}]\n");
  const auto rows = Allowlist(config, {});
  REQUIRE(rows);
  CHECK(Lines(*rows) ==
        "ashburn udp 192.0.2.1/32 3478-3478\n"
        "ashburn tcp 192.0.2.1/32 5349-5349\n"
        "ashburn udp 192.0.2.1/32 3478-3478\n"
        "ashburn udp 192.0.2.1/32 3479-3479\n"
        "ashburn udp 192.0.2.2/32 3478-3478\n"
        "ashburn udp 192.0.2.2/32 3479-3479\n"
        "relay-2.example udp 203.0.113.9/32 3478-3478\n"
        "relay-2.example tcp 203.0.113.9/32 5349-5349\n"
        "ashburn udp 192.0.2.1/32 10000-60000\n"
        "ashburn tcp 192.0.2.1/32 10000-60000\n");
}

TEST_CASE("an allowlist whose addresses the file does not know asks for them, and takes them") {
  const Config unnamed = Read("listen: [{transport: udp}]\n");
  CHECK(Allowlist(unnamed, {}).error().contains("--address"));
  const Config automatic = Read("relay: {addresses: [{bind: 10.0.0.5, advertise: auto}]}\n");
  CHECK(Allowlist(automatic, {}).error().contains("10.0.0.5"));
  const auto rows = Allowlist(unnamed, {Ip("203.0.113.7"), Ip("203.0.113.8")});
  REQUIRE(rows);
  CHECK(Lines(*rows) ==
        "ashburn udp 203.0.113.7/32 3478-3478\n"
        "ashburn udp 203.0.113.8/32 3478-3478\n"
        "ashburn udp 203.0.113.7/32 10000-60000\n"
        "ashburn udp 203.0.113.8/32 10000-60000\n");
}

}  // namespace
}  // namespace turnpike::config
