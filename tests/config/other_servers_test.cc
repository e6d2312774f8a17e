// Keys that name other servers, or other addresses of this one.
#include <doctest/doctest.h>

#include "tests/config/support.h"

namespace turnpike::config {
namespace {

std::expected<Config, std::vector<Problem>> Read(std::string_view text) {
  return Parse(std::string(text) + "\n" + std::string(kUser), "turnpike.yaml", TestEnvironment);
}

TEST_CASE("alternate servers have the usual ports, and are used while draining or always") {
  const auto config = Read(
      "redirect: always\n"
      "alternate_servers:\n"
      "  - {address: 203.0.113.9, domain: two.example}\n"
      "  - {address: \"2001:db8::9\", port: 80, tls_port: 443}");
  REQUIRE(config);
  CHECK(config->redirect == Redirect::kAlways);
  REQUIRE(config->alternate_servers.size() == 2);
  CHECK(config->alternate_servers[0].port == 3478);
  CHECK(config->alternate_servers[0].tls_port == 5349);
  CHECK(config->alternate_servers[0].domain == "two.example");
  CHECK(config->alternate_servers[1].port == 80);
  CHECK(config->alternate_servers[1].tls_port == 443);
  CHECK(Defaults().redirect == Redirect::kDraining);
}

TEST_CASE("alternate servers must be somewhere, and elsewhere") {
  CHECK(ProblemsBeside("redirect: always") ==
        "turnpike.yaml:1: redirect: there is nowhere to send clients to; add alternate_servers\n");
  CHECK(ProblemsBeside("alternate_servers: [{address: 0.0.0.0}]") ==
        "turnpike.yaml:1: alternate_servers[0].address: 0.0.0.0 can be reached by nobody; name one "
        "address\n");
  CHECK(ProblemsBeside("listen: [{transport: tls, address: 192.0.2.1}]\n"
                       "alternate_servers: [{address: 192.0.2.1}]") ==
        "turnpike.yaml:2: alternate_servers[0].address: 192.0.2.1:5349 is this server itself: "
        "clients would go round in circles; name another server\n");
  CHECK(ProblemsBeside("alternate_servers: [{port: 1}]").contains("address: is missing"));
}

TEST_CASE("NAT discovery takes two addresses and two ports") {
  const auto config = Read("nat_discovery: {addresses: [192.0.2.1, 192.0.2.2]}");
  REQUIRE(config);
  CHECK(config->nat_discovery.addresses.size() == 2);
  CHECK(config->nat_discovery.ports == std::vector<uint16_t>{3478, 3479});
  CHECK(Defaults().nat_discovery.addresses.empty());
  for (const char* wrong : {"[192.0.2.1]", "[192.0.2.1, 192.0.2.1]", "[192.0.2.1, \"2001:db8::1\"]",
                            "[192.0.2.1, 0.0.0.0]"}) {
    CHECK(ProblemsBeside("nat_discovery: {addresses: " + std::string(wrong) + "}") ==
          "turnpike.yaml:1: nat_discovery.addresses: takes two different addresses of one family, "
          "each one of this host's\n");
  }
  CHECK(ProblemsBeside("nat_discovery: {addresses: [192.0.2.1, 192.0.2.2], ports: [1, 1]}") ==
        "turnpike.yaml:1: nat_discovery.ports: takes two different ports, such as [3478, 3479]\n");
}

}  // namespace
}  // namespace turnpike::config
