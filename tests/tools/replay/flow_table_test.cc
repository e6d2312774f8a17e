// Which datagrams make a flow, what it is taken for, and who its client is.
#include "tools/replay/flow_table.h"

#include <doctest/doctest.h>

#include "tests/tools/replay/frames.h"

namespace turnpike::replay {
namespace {

using std::chrono::milliseconds;

const TransportAddress kPhone = At("10.0.0.1:4000");
const TransportAddress kOther = At("198.51.100.2:5000");
const TransportAddress kServer = At("203.0.113.7:3478");
const TransportAddress kRelayed = At("203.0.113.7:49152");

// Table counts datagrams, 10 ms apart.
class Table {
 public:
  Table& Add(const TransportAddress& from, const TransportAddress& to, const Bytes& payload) {
    const Datagram datagram{from, to, static_cast<uint32_t>(payload.size()), payload};
    CHECK(table_.Add(datagram, now_));
    now_ += milliseconds(10);
    return *this;
  }

  Table& AddRtp(const TransportAddress& from, const TransportAddress& to, int count) {
    for (int i = 0; i < count; ++i) {
      Add(from, to, RtpPacket(0, static_cast<uint16_t>(i), static_cast<uint32_t>(80 * i), 7, 172));
    }
    return *this;
  }

  std::vector<Flow> Take(const IpSet& clients = {}) { return table_.Take(clients); }

 private:
  FlowTable table_;
  Duration now_{};
};

TEST_CASE("both directions of a pair are one flow, and whoever sends first is its client") {
  const auto flows = Table().AddRtp(kPhone, kOther, 3).AddRtp(kOther, kPhone, 2).Take();
  REQUIRE(flows.size() == 1);
  const Flow& flow = flows[0];
  CHECK(flow.number == 1);
  CHECK(flow.kind == FlowKind::kRtp);
  CHECK(flow.client == kPhone);
  CHECK(flow.peer == kOther);
  CHECK(flow.sides[0].volume.packets == 3);
  CHECK(flow.sides[0].volume.bytes == 3 * 172);
  CHECK(flow.sides[0].volume.last == milliseconds(20));
  CHECK(flow.sides[1].volume.packets == 2);
  CHECK(flow.sides[1].volume.first == milliseconds(30));
  CHECK(flow.first() == Duration(0));
  CHECK(flow.last() == milliseconds(40));
  CHECK(flow.sides[1].rtp.streams().at(0).codec() == "PCMU");
}

TEST_CASE("addresses that are said to be clients' are, unless both sides or none are") {
  const auto client = [](std::string_view range) {
    const IpSet clients({IpRange::Parse(range).value()});
    return Table().AddRtp(kOther, kPhone, 2).Take(clients).at(0).client;
  };
  CHECK(client("10.0.0.0/8") == kPhone);
  CHECK(client("198.51.100.0/24") == kOther);
  CHECK(client("192.0.2.0/24") == kOther);
  CHECK(client("0.0.0.0/0") == kOther);
}

TEST_CASE("RTCP, and what is neither") {
  const Bytes report = Join({{0x80, 200}, U16(6), Bytes(24, 0)});
  CHECK(Table().Add(kPhone, kOther, report).Take().at(0).kind == FlowKind::kRtcp);
  CHECK(Table().Add(kPhone, kOther, Bytes(40, 1)).Take().at(0).kind == FlowKind::kOther);
  // One packet may look like RTP by chance.
  CHECK(Table().AddRtp(kPhone, kOther, 1).Take().at(0).kind == FlowKind::kOther);
}

TEST_CASE("a TURN leg counts the data inside; its client is who asks, not who is seen first") {
  const Bytes rtp1 = RtpPacket(0, 1, 160, 7, 101);
  const Bytes rtp2 = RtpPacket(0, 2, 320, 7, 101);
  const auto flows =
      Table()
          .Add(kServer, kPhone, StunMessage(0x0113, {}))
          .Add(kPhone, kServer, StunMessage(0x0003, {}))
          .Add(kServer, kPhone, StunMessage(0x0103, Attribute(0x0016, XorAddress(kRelayed))))
          .Add(kPhone, kServer, ChannelMessage(0x4000, rtp1))
          .Add(kPhone, kServer, ChannelMessage(0x4000, rtp2))
          .Add(kServer, kPhone, StunMessage(0x0017, Attribute(0x0013, Bytes(50, 1))))
          // What the server relays between its address and the peer is the same data again.
          .AddRtp(kRelayed, kOther, 2)
          .Take();
  REQUIRE(flows.size() == 2);
  CHECK(flows[0].kind == FlowKind::kTurn);
  CHECK(flows[0].client == kPhone);
  CHECK(flows[0].peer == kServer);
  CHECK(flows[0].sides[0].volume.packets == 2);
  CHECK(flows[0].sides[0].volume.bytes == 202);
  CHECK(flows[0].sides[0].volume.padded_bytes == 208);
  CHECK(flows[0].sides[0].rtp.streams().at(0).codec() == "PCMU");
  CHECK(flows[0].sides[1].volume.packets == 1);
  CHECK(flows[0].sides[1].volume.bytes == 50);
  CHECK(flows[1].kind == FlowKind::kRelayed);
}

TEST_CASE("a leg that was captured without its beginning is known by its ChannelData alone") {
  const Bytes data = ChannelMessage(0x4000, Bytes(100, 7));
  const auto flows = Table().Add(kServer, kPhone, data).Add(kPhone, kServer, data).Take();
  CHECK(flows.at(0).kind == FlowKind::kTurn);
  CHECK(flows.at(0).client == kPhone);  // by the server's port
  const auto mixed = Table().Add(kPhone, kOther, data).Add(kPhone, kOther, Bytes(9, 1)).Take();
  CHECK(mixed.at(0).kind == FlowKind::kOther);
}

TEST_CASE("more flows than media can have are too many") {
  FlowTable table;
  Datagram datagram{kPhone, kOther, 0, {}};
  for (size_t i = 0; i < FlowTable::kMostFlows; ++i) {
    datagram.from.port = static_cast<uint16_t>(i);
    datagram.to.port = static_cast<uint16_t>(i >> 16);
    REQUIRE(table.Add(datagram, {}));
  }
  CHECK(table.Add(datagram, {}));
  datagram.from = kServer;
  CHECK(!table.Add(datagram, {}));
}

}  // namespace
}  // namespace turnpike::replay
