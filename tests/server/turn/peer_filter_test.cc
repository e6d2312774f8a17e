#include "server/turn/peer_filter.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace turnpike {
namespace {

IpAddress Ip(std::string_view text) {
  const auto ip = IpAddress::Parse(text);
  REQUIRE_MESSAGE(ip.has_value(), std::string(text));
  return *ip;
}

TransportAddress Peer(std::string_view text) {
  const auto peer = TransportAddress::Parse(text);
  REQUIRE_MESSAGE(peer.has_value(), std::string(text));
  return *peer;
}

IpSet Set(std::initializer_list<std::string_view> ranges) {
  IpSet set;
  for (const std::string_view range : ranges) set.Add(*IpRange::Parse(range));
  return set;
}

struct Row {
  std::string_view ip;
  bool open;
};

// What a server without any own address answers, by RFC. Each range is held at both ends, and
// beside.
constexpr Row kTable[] = {
    // 0.0.0.0/8, this host (RFC 1122)
    {"0.0.0.0", false},
    {"0.0.0.1", false},
    {"0.255.255.255", false},
    {"1.0.0.0", true},
    // 10.0.0.0/8, private (RFC 1918)
    {"9.255.255.255", true},
    {"10.0.0.0", false},
    {"10.255.255.255", false},
    {"11.0.0.0", true},
    // Azure's platform address, and its neighbour
    {"168.63.129.16", false},
    {"168.63.129.17", true},
    // 100.64.0.0/10, shared (RFC 6598); Alibaba's metadata address in it
    {"100.63.255.255", true},
    {"100.64.0.0", false},
    {"100.100.100.200", false},
    {"100.127.255.255", false},
    {"100.128.0.0", true},
    // 127.0.0.0/8, loopback (RFC 1122)
    {"126.255.255.255", true},
    {"127.0.0.0", false},
    {"127.0.0.1", false},
    {"127.255.255.255", false},
    {"128.0.0.0", true},
    // 169.254.0.0/16, link-local (RFC 3927)
    {"169.253.255.255", true},
    {"169.254.0.0", false},
    {"169.254.169.254", false},
    {"169.254.255.255", false},
    {"169.255.0.0", true},
    // 172.16.0.0/12, private (RFC 1918)
    {"172.15.255.255", true},
    {"172.16.0.0", false},
    {"172.31.255.255", false},
    {"172.32.0.0", true},
    // 192.0.0.0/24 (RFC 6890); Oracle's metadata address in it; 192.0.2.0/24 (RFC 5737)
    {"191.255.255.255", true},
    {"192.0.0.0", false},
    {"192.0.0.192", false},
    {"192.0.1.0", true},
    {"192.0.2.0", false},
    {"192.0.2.255", false},
    {"192.0.3.0", true},
    // 192.88.99.0/24, 6to4 relays (RFC 7526); 192.168.0.0/16, private (RFC 1918)
    {"192.88.98.255", true},
    {"192.88.99.1", false},
    {"192.88.100.0", true},
    {"192.167.255.255", true},
    {"192.168.0.0", false},
    {"192.168.255.255", false},
    {"192.169.0.0", true},
    // 198.18.0.0/15, benchmarking (RFC 2544); documentation (RFC 5737)
    {"198.17.255.255", true},
    {"198.18.0.0", false},
    {"198.19.255.255", false},
    {"198.20.0.0", true},
    {"198.51.99.255", true},
    {"198.51.100.0", false},
    {"198.51.101.0", true},
    {"203.0.112.255", true},
    {"203.0.113.255", false},
    {"203.0.114.0", true},
    // 224.0.0.0/4, multicast (RFC 5771); 240.0.0.0/4, reserved (RFC 1112); broadcast (RFC 919)
    {"223.255.255.255", true},
    {"224.0.0.0", false},
    {"224.0.0.251", false},
    {"239.255.255.255", false},
    {"240.0.0.0", false},
    {"255.255.255.255", false},
    {"8.8.8.8", true},
    // Outside of 2000::/3 (RFC 4291 §2.4)
    {"::", false},
    {"::1", false},
    {"::2", false},
    {"100::1", false},
    {"1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    {"2000::", true},
    {"3ffe::1", true},
    {"4000::", false},
    {"5f00::1", false},
    {"8000::1", false},
    {"fbff::1", false},
    // fc00::/7, unique-local (RFC 4193), a metadata address in it
    {"fc00::", false},
    {"fd00:ec2::254", false},
    {"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    {"fe00::1", false},
    // fe80::/10, link-local; fec0::/10, site-local (RFC 3879); ff00::/8, multicast
    {"fe80::1", false},
    {"febf:ffff::1", false},
    {"fec0::1", false},
    {"feff::1", false},
    {"ff00::", false},
    {"ff02::1", false},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    // Inside 2000::/3
    {"2001:4860:4860::8888", true},
    {"2606:4700::1111", true},
    {"2001:1:ffff::1", true},
    {"2001:2::1", false},  // benchmarking (RFC 5180)
    {"2001:2:1::1", true},
    {"2001:f:ffff::1", true},
    {"2001:10::1", false},  // ORCHID (RFC 4843)
    {"2001:1f:ffff::1", false},
    {"2001:20::1", false},  // ORCHIDv2 (RFC 7343)
    {"2001:2f:ffff::1", false},
    {"2001:30::1", true},
    {"2001:db7:ffff::1", true},
    {"2001:db8::1", false},  // documentation (RFC 3849)
    {"2001:db9::1", true},
    {"3fff::1", false},  // documentation (RFC 9637)
    {"3fff:fff:ffff::1", false},
    {"3fff:1000::1", true},
    // IPv4-mapped (RFC 4291 §2.5.5.2): as the address in it
    {"::ffff:127.0.0.1", false},
    {"::ffff:0.0.0.0", false},
    {"::ffff:10.1.2.3", false},
    {"::ffff:169.254.169.254", false},
    {"::ffff:255.255.255.255", false},
    {"::ffff:8.8.8.8", true},
    // IPv4-compatible (§2.5.5.1) and IPv4-translated (RFC 2765) forms lead nowhere good
    {"::127.0.0.1", false},
    {"::10.1.2.3", false},
    {"::8.8.8.8", false},
    {"::ffff:0:127.0.0.1", false},
    // NAT64 (RFC 6052, RFC 8215)
    {"64:ff9b::127.0.0.1", false},
    {"64:ff9b::192.168.1.1", false},
    {"64:ff9b::169.254.169.254", false},
    {"64:ff9b::8.8.8.8", true},
    {"64:ff9b::1:8.8.8.8", false},  // not the /96
    {"64:ff9b:1::8.8.8.8", false},
    {"64:ff9b:1::10.0.0.1", false},
    {"64:ff9b:2::8.8.8.8", false},
    // 6to4 (RFC 3056): 2002:AABB:CCDD::
    {"2002:7f00:1::1", false},
    {"2002:a00:1::1", false},
    {"2002:a9fe:a9fe::1", false},
    {"2002:c0a8:101::1", false},
    {"2002::1", false},
    {"2002:e000:1::1", false},
    {"2002:808:808::1", true},
    // Teredo (RFC 4380): server at bits 32, client inverted at bits 96
    {"2001:0:808:808:0:0:f7f7:f7f7", true},   // 8.8.8.8 and 8.8.8.8
    {"2001:0:808:808:0:0:80ff:fffe", false},  // client 127.0.0.1
    {"2001:0:808:808:0:0:f5ff:fffe", false},  // client 10.0.0.1
    {"2001:0:808:808::", false},              // client 255.255.255.255
    {"2001:0:a00:1:0:0:f7f7:f7f7", false},    // server 10.0.0.1
    {"2001:0:7f00:1:0:0:f7f7:f7f7", false},   // server 127.0.0.1
};
static_assert(std::size(kTable) >= 80);

TEST_CASE("the table of addresses that nobody may reach") {
  const PeerFilter filter({});
  for (const Row& row : kTable) {
    CAPTURE(std::string(row.ip));
    CHECK(filter.PermitsAddress(Ip(row.ip)) == row.open);
    CHECK(filter.Permits({Ip(row.ip), 3478}) == row.open);
  }
}

TEST_CASE("EmbeddedIpv4 takes every form apart") {
  struct Form {
    std::string_view ip;
    std::vector<std::string_view> embedded;
  };
  for (const Form& form : std::vector<Form>{
           {"10.0.0.1", {}},
           {"::", {}},
           {"::1", {}},
           {"2606:4700::1111", {}},
           {"::ffff:10.0.0.1", {"10.0.0.1"}},
           {"::10.0.0.1", {"10.0.0.1"}},
           {"::2", {"0.0.0.2"}},
           {"64:ff9b::10.0.0.1", {"10.0.0.1"}},
           {"64:ff9b:1::10.0.0.1", {"10.0.0.1"}},
           // RFC 6052 §2.2 inside 64:ff9b:1::/48: /48, then /56, then /64
           {"64:ff9b:1:a00:0:100::", {"0.0.0.0", "10.0.0.1"}},
           {"64:ff9b:1:a:0:1::", {"0.0.0.0", "10.0.0.1"}},
           {"64:ff9b:1:0:a:0:100:0", {"1.0.0.0", "10.0.0.1"}},
           {"2002:a00:1::1", {"10.0.0.1"}},
           {"2001:0:808:808:0:0:f5ff:fffe", {"8.8.8.8", "10.0.0.1"}},
       }) {
    CAPTURE(std::string(form.ip));
    std::vector<IpAddress> expected;
    for (const std::string_view ip : form.embedded) expected.push_back(Ip(ip));
    CHECK(EmbeddedIpv4(Ip(form.ip)) == expected);
  }
}

TEST_CASE("allow opens a range and nothing beside it") {
  const PeerFilter filter({.allow = Set({"10.1.0.0/16", "127.0.0.0/8", "fd00::/8", "::1/128"})});
  CHECK(filter.PermitsAddress(Ip("10.1.2.3")));
  CHECK(!filter.PermitsAddress(Ip("10.2.0.0")));
  CHECK(filter.PermitsAddress(Ip("127.0.0.1")));
  CHECK(filter.Permits(Peer("127.0.0.1:9")));
  CHECK(filter.PermitsAddress(Ip("::1")));
  CHECK(filter.PermitsAddress(Ip("fd00:ec2::254")));
  CHECK(!filter.PermitsAddress(Ip("fc00::1")));
  CHECK(filter.PermitsAddress(Ip("8.8.8.8")));
}

TEST_CASE("allow must name the embedded address, and what is closed around it") {
  const PeerFilter disguise({.allow = Set({"::ffff:10.0.0.0/104", "64:ff9b::/96", "2002::/16",
                                           "2001::/32", "64:ff9b:1::/48", "::/96"})});
  for (const char* ip : {"::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::1",
                         "2001:0:808:808:0:0:f5ff:fffe", "64:ff9b:1::10.0.0.1", "::10.0.0.1"}) {
    CAPTURE(std::string(ip));
    CHECK(!disguise.PermitsAddress(Ip(ip)));
  }
  CHECK(disguise.PermitsAddress(Ip("64:ff9b:1::8.8.8.8")));
  CHECK_MESSAGE(!disguise.PermitsAddress(Ip("64:ff9b:1:a00:0:100::")), "a /48 reads 10.0.0.1");
  CHECK(disguise.PermitsAddress(Ip("::8.8.8.8")));

  const PeerFilter embedded({.allow = Set({"10.0.0.0/8"})});
  for (const char* ip :
       {"::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::1", "2001:0:808:808:0:0:f5ff:fffe"}) {
    CAPTURE(std::string(ip));
    CHECK(embedded.PermitsAddress(Ip(ip)));
  }
  CHECK(!embedded.PermitsAddress(Ip("64:ff9b:1::10.0.0.1")));
  CHECK(!embedded.PermitsAddress(Ip("::10.0.0.1")));
}

TEST_CASE("deny wins over allow and over own relayed addresses, in every disguise") {
  const PeerFilter filter({.allow = Set({"10.0.0.0/8"}),
                           .deny = Set({"10.9.0.0/16", "8.8.8.0/24", "2606:4700::/32", "10.0.0.5"}),
                           .relay_addresses = {Ip("10.0.0.5")},
                           .min_relay_port = 1,
                           .max_relay_port = 65535});
  CHECK(filter.PermitsAddress(Ip("10.8.0.1")));
  for (const char* ip : {"10.9.0.1", "8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
                         "2002:808:808::1", "2606:4700::1111", "10.0.0.5"}) {
    CAPTURE(std::string(ip));
    CHECK(!filter.PermitsAddress(Ip(ip)));
    CHECK(!filter.Permits({Ip(ip), 10000}));
  }
}

// A server behind a 1:1 NAT: 10.0.0.5 is told to clients as 9.9.9.9. The host has another address,
// too.
PeerFilter::Options Natted() {
  return {.listeners = {Peer("10.0.0.5:3478"), Peer("10.0.0.5:20000"), Peer("127.0.0.1:9641")},
          .local_addresses = {Ip("10.0.0.5"), Ip("9.9.9.1"), Ip("2606:4700::5"), Ip("127.0.0.1")},
          .relay_addresses = {Ip("10.0.0.5"), Ip("9.9.9.9")},
          .min_relay_port = 10000,
          .max_relay_port = 60000};
}

TEST_CASE("own relayed addresses are open, within the relay's ports, bound or advertised") {
  const PeerFilter filter(Natted());
  for (const char* ip : {"10.0.0.5", "9.9.9.9", "::ffff:10.0.0.5", "64:ff9b::9.9.9.9"}) {
    CAPTURE(std::string(ip));
    CHECK(filter.PermitsAddress(Ip(ip)));
    CHECK(filter.Permits({Ip(ip), 10000}));
    CHECK(filter.Permits({Ip(ip), 60000}));
    CHECK(!filter.Permits({Ip(ip), 9999}));
    CHECK(!filter.Permits({Ip(ip), 60001}));
    CHECK(!filter.Permits({Ip(ip), 22}));
    CHECK_MESSAGE(!filter.Permits({Ip(ip), 3478}), "a listener");
    CHECK_MESSAGE(!filter.Permits({Ip(ip), 20000}), "a listener among the relay's ports");
  }
  CHECK(!filter.PermitsAddress(Ip("10.0.0.6")));
}

TEST_CASE("the host's other addresses are this host: closed unless allowed") {
  PeerFilter::Options options = Natted();
  const PeerFilter closed(options);
  for (const char* ip : {"9.9.9.1", "2606:4700::5", "127.0.0.1", "::ffff:9.9.9.1"}) {
    CAPTURE(std::string(ip));
    CHECK(!closed.PermitsAddress(Ip(ip)));
    CHECK(!closed.Permits({Ip(ip), 20001}));
  }
  options.allow = Set({"9.9.9.0/24", "127.0.0.0/8"});
  const PeerFilter allowed(options);
  CHECK(allowed.Permits(Peer("9.9.9.1:22")));
  CHECK(allowed.Permits(Peer("127.0.0.1:22")));
  CHECK_MESSAGE(allowed.Permits(Peer("9.9.9.9:22")), "allow also opens an own relay address");
}

TEST_CASE("own listeners stay closed whatever is allowed") {
  PeerFilter::Options options = Natted();
  options.allow = Set({"0.0.0.0/0", "::/0"});
  const PeerFilter filter(options);
  for (const char* peer :
       {"10.0.0.5:3478", "9.9.9.9:3478", "10.0.0.5:20000", "127.0.0.1:9641",
        "[::ffff:127.0.0.1]:9641", "[64:ff9b::10.0.0.5]:3478", "[2002:a00:5::1]:3478"}) {
    CAPTURE(std::string(peer));
    CHECK(!filter.Permits(Peer(peer)));
  }
  CHECK(filter.Permits(Peer("127.0.0.1:9642")));
  CHECK(filter.Permits(Peer("10.0.0.6:3478")));
}

TEST_CASE("a listener on the unspecified address closes its port on every own address") {
  for (const char* any : {"0.0.0.0:3478", "[::]:3478", "[::ffff:0.0.0.0]:3478"}) {
    CAPTURE(std::string(any));
    PeerFilter::Options options = Natted();
    options.allow = Set({"0.0.0.0/0", "::/0"});
    options.listeners = {Peer(any)};
    const PeerFilter filter(options);
    for (const char* ip : {"10.0.0.5", "9.9.9.9", "9.9.9.1", "2606:4700::5", "127.0.0.1",
                           "127.8.8.8", "0.0.0.0", "::", "::1", "::ffff:127.0.0.1"}) {
      CAPTURE(std::string(ip));
      CHECK(!filter.Permits({Ip(ip), 3478}));
      CHECK(filter.Permits({Ip(ip), 10001}));
    }
    CHECK(filter.Permits(Peer("8.8.8.8:3478")));
  }
}

}  // namespace
}  // namespace turnpike
