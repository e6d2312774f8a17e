#include "tools/check/edges.h"

#include <doctest/doctest.h>

namespace turnpike::check {
namespace {

TEST_CASE("an edge has the first port of each transport that it offers") {
  const auto edges = ParseEdges(R"({"edges": [
    {"name": "ashburn", "region": "us1", "uris": [
      "stun:a.example:3478", "turn:a.example:3478?transport=udp",
      "turn:a.example:443?transport=udp", "turn:a.example:443?transport=tcp",
      "turns:a.example:5349?transport=tcp"]},
    {"name": "dublin", "uris": ["turn:[2001:db8::1]:3479?transport=udp", "turns:d.example"]}]})");
  REQUIRE(edges);
  REQUIRE(edges->size() == 3);
  const Edge& first = edges->front();
  CHECK(first.name == "ashburn");
  CHECK(first.region == "us1");
  CHECK(first.host == "a.example");
  CHECK(first.udp_port == 3478);
  CHECK(first.tcp_port == 443);
  CHECK(first.tls_port == 5349);
  CHECK((*edges)[1].host == "2001:db8::1");
  CHECK((*edges)[1].udp_port == 3479);
  CHECK((*edges)[1].tls_port == 0);
  CHECK((*edges)[2].host == "d.example");
  CHECK((*edges)[2].tls_port == 5349);
}

TEST_CASE("what is no list of edges is refused with a sentence") {
  for (const char* body : {"", "[]", "{}", R"({"edges": 1})", R"({"edges": [1]})",
                           R"({"edges": [{"uris": ["turn:"]}]})", R"({"edges": [{"uris": [1]}]})",
                           R"({"edges": [{"uris": ["turn:a:x"]}]})"}) {
    CAPTURE(std::string(body));
    CHECK(!ParseEdges(body));
  }
  CHECK(ParseEdges(R"({"edges": []})")->empty());
}

}  // namespace
}  // namespace turnpike::check
