#include "config/own_edge.h"

#include <doctest/doctest.h>

namespace turnpike::config {
namespace {

using Strings = std::vector<std::string>;

TEST_CASE("the edge of a node without a named address is known by the host's name") {
  Config config = Defaults();
  config.listen.push_back({Transport::kTls, {IpAddress(), 5349}});
  const Edge edge = OwnEdge(config, "relay-1.example.com");
  CHECK(edge.name == config.edge);
  CHECK(edge.region == config.region);
  CHECK(TurnUris(edge) == Strings{"turn:relay-1.example.com:3478?transport=udp",
                                  "turn:relay-1.example.com:3478?transport=tcp",
                                  "turns:relay-1.example.com:5349?transport=tcp"});
}

TEST_CASE("a named listener comes before an advertised relay address") {
  Config config;
  config.relay.addresses = {
      {.bind = *IpAddress::Parse("10.0.0.5"), .advertise = IpAddress::Parse("203.0.113.7")}};
  config.listen = {{Transport::kUdp, {IpAddress(), 3478}}};
  CHECK(TurnUris(OwnEdge(config, "x")) == Strings{"turn:203.0.113.7:3478?transport=udp"});
  config.listen.push_back({Transport::kDtls, {*IpAddress::Parse("2001:db8::5"), 5349}});
  CHECK(TurnUris(OwnEdge(config, "x")) ==
        Strings{"turn:[2001:db8::5]:3478?transport=udp", "turns:[2001:db8::5]:5349?transport=udp"});
}

}  // namespace
}  // namespace turnpike::config
