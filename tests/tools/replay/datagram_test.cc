// UDP datagrams in packets of every kind.
#include "tools/replay/datagram.h"

#include <doctest/doctest.h>

#include "tests/tools/replay/frames.h"

namespace turnpike::replay {
namespace {

constexpr uint8_t kUdp = 17;

const TransportAddress kA = At("192.0.2.1:4000");
const TransportAddress kB = At("198.51.100.2:5000");
const TransportAddress kA6 = At("[2001:db8::1]:4000");
const TransportAddress kB6 = At("[2001:db8::2]:5000");
const Bytes kPayload = {1, 2, 3};

Bytes Packet4() { return Ipv4(kA, kB, kUdp, Udp(4000, 5000, kPayload)); }
Bytes Packet6() { return Ipv6(kA6, kB6, kUdp, Udp(4000, 5000, kPayload)); }

void CheckFound(LinkType link, const Bytes& packet, const TransportAddress& from = kA,
                const TransportAddress& to = kB) {
  CAPTURE(std::string(LinkTypeName(link)));
  const auto datagram = DecodeDatagram(link, packet);
  REQUIRE(datagram);
  CHECK(datagram->from == from);
  CHECK(datagram->to == to);
  CHECK(datagram->size == 3);
  CHECK(Bytes(datagram->payload.begin(), datagram->payload.end()) == kPayload);
}

void CheckSkipped(Skip skip, LinkType link, const Bytes& packet) {
  const auto datagram = DecodeDatagram(link, packet);
  REQUIRE(!datagram);
  CHECK(SkipName(datagram.error()) == SkipName(skip));
}

TEST_CASE("every link, IPv4 and IPv6") {
  for (const bool v6 : {false, true}) {
    const Bytes packet = v6 ? Packet6() : Packet4();
    const uint16_t type = v6 ? 0x86DD : 0x0800;
    const auto& [from, to] = v6 ? std::pair(kA6, kB6) : std::pair(kA, kB);
    CheckFound(LinkType::kRaw, packet, from, to);
    CheckFound(LinkType::kNull, Join({Le32(v6 ? 30 : 2), packet}), from, to);
    CheckFound(LinkType::kEthernet, Ethernet(type, packet), from, to);
    CheckFound(LinkType::kSll, Join({Bytes(14, 0), U16(type), packet}), from, to);
    CheckFound(LinkType::kSll2, Join({U16(type), Bytes(18, 0), packet}), from, to);
  }
}

TEST_CASE("VLAN tags, one or two, and padding of short frames") {
  const Bytes tagged = Ethernet(0x8100, Join({U16(7), U16(0x0800), Packet4()}));
  CheckFound(LinkType::kEthernet, tagged);
  CheckFound(LinkType::kEthernet,
             Ethernet(0x88A8, Join({U16(7), U16(0x8100), U16(9), U16(0x0800), Packet4()})));
  CheckFound(LinkType::kEthernet, Join({Ethernet(0x0800, Packet4()), Bytes(15, 0)}));
}

TEST_CASE("IPv6 extension headers are passed over") {
  const Bytes udp = Udp(4000, 5000, kPayload);
  const Bytes options = Join({{kUdp, 1}, Bytes(14, 0), udp});
  CheckFound(LinkType::kRaw, Ipv6(kA6, kB6, 60, options), kA6, kB6);
  CheckFound(LinkType::kRaw, Ipv6(kA6, kB6, 0, Join({{60, 0}, Bytes(6, 0), options})), kA6, kB6);
}

TEST_CASE("fragments are named, also the first") {
  const Bytes udp = Udp(4000, 5000, kPayload);
  CheckSkipped(Skip::kFragment, LinkType::kRaw, Ipv4(kA, kB, kUdp, udp, 0x2000));
  CheckSkipped(Skip::kFragment, LinkType::kRaw, Ipv4(kA, kB, kUdp, udp, 0x00B9));
  CheckSkipped(Skip::kFragment, LinkType::kRaw,
               Ipv6(kA6, kB6, 44, Join({{kUdp, 0}, Bytes(6, 0), udp})));
}

TEST_CASE("what is no UDP says what it is") {
  CheckSkipped(Skip::kNotIp, LinkType::kEthernet, Ethernet(0x0806, Bytes(28, 0)));
  CheckSkipped(Skip::kNotIp, LinkType::kEthernet, Bytes(10, 0));
  CheckSkipped(Skip::kNotIp, LinkType::kRaw, Bytes(40, 0));
  CheckSkipped(Skip::kTcp, LinkType::kRaw, Ipv4(kA, kB, 6, Bytes(20, 0)));
  CheckSkipped(Skip::kNotUdp, LinkType::kRaw, Ipv4(kA, kB, 1, Bytes(8, 0)));
}

TEST_CASE("a packet cut to its headers keeps its size, one cut further is left out") {
  const Bytes whole = Packet4();
  for (size_t kept = 0; kept < 28; ++kept) {
    CheckSkipped(Skip::kCutShort, LinkType::kRaw,
                 {whole.begin(), whole.begin() + static_cast<ptrdiff_t>(kept)});
  }
  const auto datagram = DecodeDatagram(LinkType::kRaw, ByteSpan(whole).first(29));
  REQUIRE(datagram);
  CHECK(datagram->size == 3);
  CHECK(datagram->payload.size() == 1);
}

TEST_CASE("lengths that contradict each other") {
  for (const auto& [offset, value] :
       std::vector<std::pair<size_t, uint8_t>>{{0, 0x44},    // a header of 16 bytes
                                               {3, 19},      // less than a header
                                               {3, 27},      // no room for the header of UDP
                                               {25, 7},      // UDP shorter than its header
                                               {25, 12}}) {  // UDP longer than IP
    CAPTURE(offset);
    Bytes packet = Packet4();
    packet[offset] = value;
    CheckSkipped(Skip::kMalformed, LinkType::kRaw, packet);
  }
  Bytes packet = Ipv6(kA6, kB6, 0, Join({{kUdp, 200}, Bytes(20, 0)}));
  CheckSkipped(Skip::kMalformed, LinkType::kRaw, packet);
}

TEST_CASE("the largest datagrams find no room in a relay's framing") {
  const Bytes fits = Ipv4(kA, kB, kUdp, Udp(1, 2, Bytes(65'000, 0)));
  CHECK(DecodeDatagram(LinkType::kRaw, fits)->size == 65'000);
  CheckSkipped(Skip::kTooLarge, LinkType::kRaw, Ipv4(kA, kB, kUdp, Udp(1, 2, Bytes(65'001, 0))));
}

}  // namespace
}  // namespace turnpike::replay
