// The fleet's edges and the network test in the configuration.
#include <doctest/doctest.h>

#include "tests/config/support.h"

namespace turnpike::config {
namespace {

TEST_CASE("an edge has names, addresses, ports and networks of clients") {
  const auto config =
      Parse(std::string(kUser) +
                "\nfleet:\n"
                "  choice: all\n"
                "  edges:\n"
                "    - {name: ashburn, region: us1, hosts: [turn-us1.example.com],\n"
                "       tcp: [3478, 443], tls: [5349], clients: [10.0.0.0/8]}\n"
                "    - {name: home, region: de1, addresses: [\"2001:db8::7\"]}\n",
            "turnpike.yaml", TestEnvironment);
  REQUIRE(config);
  CHECK(config->fleet.choice == EdgeChoice::kAll);
  REQUIRE(config->fleet.edges.size() == 2);
  CHECK(config->fleet.edges[0].tcp == std::vector<uint16_t>{3478, 443});
  CHECK(config->fleet.edges[0].udp == std::vector<uint16_t>{3478});
  CHECK(config->fleet.edges[1].HostNames() == std::vector<std::string>{"[2001:db8::7]"});
}

TEST_CASE("edges that nobody can tell apart or reach are problems") {
  CHECK(ProblemsBeside("fleet: {edges: [{name: a, region: r, hosts: [h]}, "
                       "{name: a, region: r, hosts: [i]}]}")
            .contains("fleet.edges[1].name: `a` is the name of an edge before it"));
  CHECK(ProblemsBeside("fleet: {edges: [{name: a, region: r}]}")
            .contains("fleet.edges[0]: cannot be reached by anybody"));
  CHECK(ProblemsBeside("fleet: {edges: [{name: a, region: r, hosts: [h], udp: [], tcp: []}]}")
            .contains("fleet.edges[0]: has no port"));
  CHECK(ProblemsBeside("fleet: {edges: [{name: a_b, region: r, hosts: [h]}]}")
            .contains("is not a name of letters"));
  CHECK(ProblemsBeside("fleet: {edges: [{name: a, region: r, hosts: [\"h..x\"]}]}")
            .contains("is not a host name"));
}

TEST_CASE("the network test's account has a name and a secret to make credentials with") {
  CHECK(ProblemsBeside("api: {nettest: {account: operator}}")
            .contains("api.nettest.account: needs a secret"));
  CHECK(ProblemsBeside("api: {nettest: {account: \"a:b\"}}").contains("has a colon"));
  CHECK(ProblemsBeside("api: {nettest: {per_minute: 0}}").contains("api.nettest.per_minute"));
}

}  // namespace
}  // namespace turnpike::config
