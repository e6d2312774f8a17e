#include "server/io/stream_listener.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "tests/server/io/fake_stream_host.h"
#include "tests/server/io/test_stream.h"

namespace turnpike {

TEST_CASE("accepted connections carry both addresses, also on a wildcard, in both families") {
  for (const char* wildcard : {"0.0.0.0:0", "[::]:0"}) {
    StreamWorld world;
    const auto bound = world.hub.Listen({.address = Address(wildcard)});
    REQUIRE(bound.has_value());
    const IpAddress asked = *IpAddress::Parse(bound->ip.is_v4() ? "127.0.0.9" : "::1");
    TestStream client({asked, bound->port});
    REQUIRE(client.connected());
    CHECK(client.Send(StunOf()));
    REQUIRE(world.Until([&] { return world.host.messages.size() == 1; }));
    const FiveTuple& tuple = world.host.messages[0].client.five_tuple;
    CHECK(tuple.server == TransportAddress{asked, bound->port});
    CHECK(tuple.client.ip.family() == asked.family());
    CHECK(tuple.client.port != 0);
    CHECK(tuple.transport == Transport::kTcp);
    client.Reset();
    REQUIRE(world.Until([&] { return world.hub.size() == 0; }));
    CHECK(world.Closed(ConnectionEnd::kReset) == 1);
  }
}

TEST_CASE("workers share a port; another program's port is said so") {
  StreamWorld first;
  StreamWorld second;
  const auto bound = first.hub.Listen({.address = Address("127.0.0.1:0")});
  REQUIRE(bound.has_value());
  CHECK(second.hub.Listen({.address = *bound}).has_value());
  const auto taken = CheckTcpAddressFree(*bound);
  REQUIRE(!taken.has_value());
  CHECK(taken.error().find(bound->ToString()) != std::string::npos);
  CHECK(taken.error().find("another program has this port") != std::string::npos);
  const auto nowhere = first.hub.Listen({.address = Address("192.0.2.1:3478")});
  REQUIRE(!nowhere.has_value());
  CHECK(nowhere.error().find("no interface of this host") != std::string::npos);
  CHECK(CheckTcpAddressFree(Address("127.0.0.1:0")).has_value());
}

TEST_CASE("without descriptors accepting pauses and goes on by itself") {
  StreamWorld world;
  const auto bound = world.hub.Listen({.address = Address("127.0.0.1:0")});
  REQUIRE(bound.has_value());
  TestStream client(*bound);
  REQUIRE(client.connected());
  REQUIRE(client.Send(StunOf()));
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const int next = fcntl(client.fd(), F_DUPFD, 0);  // the lowest free descriptor
  close(next);
  const rlimit none{.rlim_cur = static_cast<rlim_t>(next), .rlim_max = before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  for (int i = 0; i < 10; ++i) world.Turn();
  setrlimit(RLIMIT_NOFILE, &before);
  CHECK(world.stats.accept_pauses.Get() == 1);  // and not ten times
  CHECK(world.host.messages.empty());
  REQUIRE(world.hub.NextDeadline() == world.host.time.mono + std::chrono::seconds(1));
  world.host.Advance(std::chrono::seconds(1));
  world.hub.OnTimer(world.host.time.mono);
  CHECK(world.Until([&] { return world.host.messages.size() == 1; }));
}

}  // namespace turnpike
