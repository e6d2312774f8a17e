// The list of flows, as people and programs get it.
#include "tools/replay/flow_list.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/tools/replay/frames.h"

namespace turnpike::replay {
namespace {

Scan Sample() {
  PcapFile file;
  const TransportAddress phone = At("10.0.0.1:4000");
  const TransportAddress other = At("198.51.100.2:5000");
  for (uint32_t i = 0; i < 20; ++i) {
    const Duration time = std::chrono::milliseconds(20) * static_cast<int>(i);
    const auto sequence = static_cast<uint16_t>(i);
    file.Add(time, Frame(phone, other, RtpPacket(111, sequence, 960 * i, 0xABCD, 100)));
    if (i == 7) file.Add(time, Frame(phone, other, RtpPacket(111, 7, 960 * i, 0xABCD, 100)));
  }
  file.Add({}, Frame(phone, At("192.0.2.53:53"), Bytes(30, 1)));
  file.Add({}, Ethernet(0x0800, Ipv4(phone, other, 17, Bytes(30, 0), 0x2000)));
  auto capture = OpenBytes(file.bytes());
  return ScanCapture(*capture, "test.pcap", {}).value();
}

TEST_CASE("the table has a line for each direction, and says what is left out") {
  std::ostringstream out;
  WriteFlowTable(Sample(), "test.pcap", out);
  CHECK(out.str() ==
        "test.pcap: Ethernet, 23 packets, 2 UDP flows, 1 to replay\n"
        "\n"
        "flow   kind    client           peer                packets        bytes   begins s    "
        "lasts s  codec (type, clock) SSRC\n"
        "   1   RTP     10.0.0.1:4000 -> 198.51.100.2:5000        21         2100      0.000      "
        "0.380  Opus? (111, 48 kHz) 0000abcd\n"
        "   2 - other   10.0.0.1:4000 -> 192.0.2.53:53             1           30      0.000      "
        "0.000\n"
        "\n"
        "to replay: 21 packets, 2100 bytes of payload, 0.380 s\n"
        "- is not replayed: relayed is the other side of a TURN leg, other neither RTP nor TURN "
        "(--all-udp); --flow N takes any\n"
        "packets that are left out: 1 IP fragments\n"
        "note: 1 IP fragments are left out, and with them the datagrams that they are parts of\n"
        "note: 1 RTP packets are there twice in a row and are replayed twice, as captures of "
        "several interfaces have them: capture one\n");
}

TEST_CASE("the JSON has the same") {
  std::ostringstream out;
  WriteFlowJson(Sample(), "test.pcap", out);
  const auto json = nlohmann::json::parse(out.str());
  CHECK(json["replayed_packets"] == 21);
  CHECK(json["replayed_bytes"] == 2100);
  CHECK(json["skipped"] == nlohmann::json({{"IP fragments", 1}}));
  REQUIRE(json["flows"].size() == 2);
  CHECK(json["flows"][0]["replayed"] == true);
  CHECK(json["flows"][0]["client"] == "10.0.0.1:4000");
  CHECK(json["flows"][0]["client_to_peer"]["streams"][0] == nlohmann::json({{"ssrc", "0000abcd"},
                                                                            {"payload_type", 111},
                                                                            {"codec", "Opus?"},
                                                                            {"clock_rate", 48000},
                                                                            {"packets", 21}}));
  CHECK(json["flows"][1]["replayed"] == false);
}

}  // namespace
}  // namespace turnpike::replay
