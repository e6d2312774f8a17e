#include "server/setup.h"

#include <doctest/doctest.h>

#include <thread>

#include "common/stun/message.h"
#include "tests/server/io/test_socket.h"

namespace turnpike {
namespace {

IpAddress Ip(const char* text) { return *IpAddress::Parse(text); }

}  // namespace

TEST_CASE("configured relay addresses must be the host's, and advertise what is said or bound") {
  config::Config config;
  const std::vector<IpAddress> host = {Ip("10.0.0.5"), Ip("127.0.0.1")};
  config.relay.addresses = {{.bind = Ip("10.0.0.5"), .advertise = Ip("203.0.113.7")},
                            {.bind = Ip("127.0.0.9"), .advertise = std::nullopt}};
  const auto relays = ResolveRelayAddresses(config, host);
  REQUIRE(relays.has_value());
  CHECK((*relays)[0].advertise == Ip("203.0.113.7"));
  CHECK((*relays)[1].advertise == Ip("127.0.0.9"));

  config.relay.addresses = {{.bind = Ip("203.0.113.7"), .advertise = std::nullopt}};
  CHECK(ResolveRelayAddresses(config, host).error() ==
        "relay address 203.0.113.7 is not an address of this host; `bind` must be one, and "
        "`advertise` is what clients are told");
  config.relay.addresses = {
      {.bind = Ip("10.0.0.5"), .advertise = std::nullopt, .advertise_auto = true}};
  CHECK(ResolveRelayAddresses(config, host).error().find("write it as `advertise`") !=
        std::string::npos);
}

TEST_CASE("advertise: auto asks the STUN server, or takes a bound address that is public") {
  TestSocket server(Address("127.0.0.1:0"));
  config::Config config;
  config.relay.stun_server = server.address().ToString();
  config.relay.addresses = {
      {.bind = Ip("127.0.0.1"), .advertise = std::nullopt, .advertise_auto = true}};
  std::thread other([&] {
    const auto datagram = server.Receive();
    const auto request = stun::MessageView::Parse(AsBytes(datagram.bytes));
    if (!request) return;
    std::array<uint8_t, 128> buffer;
    stun::MessageBuilder builder(buffer, stun::Class::kSuccessResponse, stun::Method::kBinding,
                                 request->transaction_id());
    builder.AddXorAddress(stun::AttributeType::kXorMappedAddress, Address("203.0.113.7:9"));
    server.Send(AsText(builder.FinishUnauthenticated(false)), datagram.from);
  });
  const auto relays = ResolveRelayAddresses(config, {});
  other.join();
  REQUIRE(relays.has_value());
  CHECK((*relays)[0].bind == Ip("127.0.0.1"));
  CHECK((*relays)[0].advertise == Ip("203.0.113.7"));

  config.relay.stun_server.clear();
  config.relay.addresses[0].bind = Ip("203.0.113.9");
  CHECK((*ResolveRelayAddresses(config, {Ip("203.0.113.9")}))[0].advertise == Ip("203.0.113.9"));
}

TEST_CASE("without configured relay addresses the host's own serve, or the start fails") {
  const config::Config config;
  const auto relays = ResolveRelayAddresses(config, {Ip("127.0.0.1"), Ip("10.0.0.5")});
  REQUIRE(relays.has_value());
  REQUIRE(relays->size() == 1);
  CHECK((*relays)[0].bind == Ip("10.0.0.5"));
  CHECK(ResolveRelayAddresses(config, {}).error().find("relay.addresses") != std::string::npos);
}

TEST_CASE("a host without IPv6 serves the default configuration over IPv4") {
  const auto listen = [](const char* address) {
    return config::Listener{Transport::kUdp, *TransportAddress::Parse(address)};
  };
  config::Config config;
  config.listen = {listen("0.0.0.0:3478"), listen("[::]:3478"), listen("[::1]:3478")};
  CHECK(ForHost(config, true).listen.size() == 3);
  const auto left = ForHost(config, false).listen;
  REQUIRE(left.size() == 2);  // who names an IPv6 address of its own hears that it cannot be had
  CHECK(left[1].address == *TransportAddress::Parse("[::1]:3478"));
  config.listen = {listen("[::]:3478")};
  CHECK(ForHost(config, false).listen.size() == 1);
}

TEST_CASE("alternate servers reach the core, and whether they are always used") {
  config::Config config;
  config.alternate_servers = {
      {.address = Ip("203.0.113.9"), .port = 80, .tls_port = 443, .domain = "two.example"}};
  TurnOptions options = MakeTurnOptions(config, {}, {});
  REQUIRE(options.alternate_servers.size() == 1);
  CHECK(options.alternate_servers[0].ip == Ip("203.0.113.9"));
  CHECK(options.alternate_servers[0].port == 80);
  CHECK(options.alternate_servers[0].tls_port == 443);
  CHECK(options.alternate_servers[0].domain == "two.example");
  CHECK_FALSE(options.redirect_always);
  config.redirect = config::Redirect::kAlways;
  CHECK(MakeTurnOptions(config, {}, {}).redirect_always);
}

TEST_CASE("udp and dtls on one port are one listener, which the first byte decides") {
  config::Config config;
  config.listen = {{Transport::kUdp, Address("0.0.0.0:3478")},
                   {Transport::kDtls, Address("0.0.0.0:5349")},
                   {Transport::kDtls, Address("0.0.0.0:3478")}};
  CHECK(UdpListeners(config) ==
        std::vector<UdpListenOptions>{{Address("0.0.0.0:3478"), true, true},
                                      {Address("0.0.0.0:5349"), false, true}});
  CHECK(StreamListeners(config).empty());
}

TEST_CASE("tcp and tls on one port are one listener, which the first byte decides") {
  config::Config config;
  config.listen = {{Transport::kTls, Address("0.0.0.0:443")},
                   {Transport::kTcp, Address("0.0.0.0:3478")},
                   {Transport::kUdp, Address("0.0.0.0:443")},
                   {Transport::kTcp, Address("0.0.0.0:443")}};
  const auto listeners = StreamListeners(config);
  REQUIRE(listeners.size() == 2);
  CHECK(listeners[0].address == Address("0.0.0.0:443"));
  CHECK((listeners[0].plain && listeners[0].tls));
  CHECK(listeners[1].address == Address("0.0.0.0:3478"));
  CHECK((listeners[1].plain && !listeners[1].tls));
}

TEST_CASE("options carry the configured limits, users and the peers that stay closed") {
  config::Config config;
  config.listen = {{Transport::kUdp, Address("0.0.0.0:3478")}};
  config.auth.realm = "turn.example";
  config.auth.users = {{"alice", "pw", "acme", "web"}};
  config.limits.permissions_per_allocation = 7;
  config.limits.peer_connections_per_allocation = 3;
  config.limits.channels_per_allocation = 8;
  config.limits.allocations_per_username = 9;
  config.limits.session_bandwidth = 2'500'000;
  config.limits.default_lifetime = std::chrono::seconds(10);
  config.limits.max_lifetime = std::chrono::seconds(20);
  config.auth.nonce_lifetime = std::chrono::seconds(30);
  config.relay.peers.allow.Add(*IpRange::Parse("10.1.0.0/16"));
  const std::vector<RelayAddress> relays = {{Ip("10.0.0.5"), Ip("203.0.113.7")}};
  const TurnOptions options = MakeTurnOptions(config, relays, {Ip("10.0.0.5")});
  CHECK(options.realm == "turn.example");
  CHECK(options.relay_addresses.size() == 1);
  CHECK(options.max_permissions == 7);
  CHECK(options.max_peer_connections == 3);
  CHECK(options.max_channels == 8);
  CHECK(options.limits.allocations_per_username == 9);
  CHECK(options.limits.session_bandwidth == 2'500'000 / 8);
  CHECK(options.default_lifetime == std::chrono::seconds(10));
  CHECK(options.max_lifetime == std::chrono::seconds(20));
  CHECK(options.nonce_lifetime == std::chrono::seconds(30));
  CHECK(options.credentials->Lookup("alice", WallTime()).value().principal.account == "acme");
  const PeerFilter& filter = *options.peer_filter;
  CHECK(filter.Permits(Address("198.41.0.4:53")));
  CHECK(filter.Permits(Address("10.1.2.3:5000")));
  CHECK_FALSE(filter.Permits(Address("10.2.0.1:5000")));
  CHECK(filter.Permits(Address("203.0.113.7:20000")));       // a relayed address of our own
  CHECK_FALSE(filter.Permits(Address("203.0.113.7:3478")));  // our listener, from outside
  CHECK_FALSE(filter.Permits(Address("127.0.0.1:9641")));    // the admin endpoint
}

TEST_CASE("a listener's port that is taken is said before anything opens") {
  TestSocket other(Address("127.0.0.1:0"));
  CHECK(CheckListenersFree({}, {}).has_value());
  const auto taken = CheckListenersFree({other.address()}, {});
  REQUIRE(!taken.has_value());
  CHECK(taken.error().find(other.address().ToString()) != std::string::npos);
}

}  // namespace turnpike
