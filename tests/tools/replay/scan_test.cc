// A capture, scanned and collected: sizes, gaps, and what is left out.
#include "tools/replay/scan.h"

#include <doctest/doctest.h>

#include "tests/tools/replay/frames.h"

namespace turnpike::replay {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kStart = seconds(1'764'000'000);

const TransportAddress kPhone = At("10.0.0.1:4000");
const TransportAddress kOther = At("198.51.100.2:5000");
const TransportAddress kServer = At("203.0.113.7:3478");

std::expected<Scan, std::string> ScanOf(Bytes& bytes, const ScanOptions& options = {}) {
  auto capture = OpenBytes(bytes);
  REQUIRE(capture);
  return ScanCapture(*capture, "test.pcap", options);
}

std::vector<load::SessionTraffic> Collect(Bytes& bytes, const ScanOptions& options = {},
                                          double speed = 1) {
  const auto scan = ScanOf(bytes, options);
  REQUIRE(scan);
  auto capture = OpenBytes(bytes);
  REQUIRE(capture);
  auto traffic = CollectTraffic(*capture, "test.pcap", *scan, options, speed);
  REQUIRE(traffic);
  return *traffic;
}

std::string Error(PcapFile& file, const ScanOptions& options = {}) {
  const auto scan = ScanOf(file.bytes(), options);
  return scan ? "" : scan.error();
}

// Jitter is an odd number of nanoseconds, below 5 ms, that differs from packet to packet.
Duration Jitter(uint32_t packet) { return Duration(packet * 2'654'435'761u % 5'000'000); }

// Call is a two-way Opus call of `packets` in each direction, with jitter and sizes that vary.
PcapFile Call(uint32_t packets) {
  PcapFile file;
  for (uint32_t i = 0; i < packets; ++i) {
    const auto sequence = static_cast<uint16_t>(i);
    const Duration time = kStart + milliseconds(20) * static_cast<int>(i);
    file.Add(time + Jitter(i), Frame(kPhone, kOther, RtpPacket(111, sequence, 960 * i, 7, 80 + i)));
    file.Add(time + milliseconds(7),
             Frame(kOther, kPhone, RtpPacket(111, sequence, 960 * i, 8, 60 + i)));
  }
  return file;
}

TEST_CASE("a two-way call keeps every size, and every gap to the nanosecond") {
  PcapFile file = Call(100);
  const auto traffic = Collect(file.bytes());
  REQUIRE(traffic.size() == 1);
  const auto& [up, down] = traffic[0];
  REQUIRE(up.slots.size() == 100);
  REQUIRE(down.slots.size() == 100);
  for (uint32_t i = 0; i < 100; ++i) {
    const Duration time = milliseconds(20) * static_cast<int>(i);
    CHECK(up.slots[i] == load::PatternSlot(time + Jitter(i) - Jitter(0), 80 + i));
    CHECK(down.slots[i] == load::PatternSlot(time + milliseconds(7) - Jitter(0), 60 + i));
  }
  CHECK(up.period == down.slots.back().offset() + kRoundGap);
  CHECK(down.period == up.period);
}

TEST_CASE("speed divides gaps and nothing else") {
  PcapFile file = Call(10);
  const auto traffic = Collect(file.bytes(), {}, 2);
  const auto& up = traffic[0][0];
  const Duration rest = 2 * up.slots[9].offset() - (milliseconds(180) + Jitter(9));
  CHECK(std::chrono::abs(rest) <= Duration(1));
  CHECK(up.slots[9].size() == 89);
}

TEST_CASE("of a TURN leg the data inside is what the client sends and gets") {
  PcapFile file;
  file.Add(kStart, Frame(kPhone, kServer, StunMessage(0x0003, {})));
  file.Add(kStart + milliseconds(5), Frame(kPhone, kServer, ChannelMessage(0x4000, Bytes(101, 7))));
  file.Add(kStart + milliseconds(8),
           Frame(kServer, kPhone, StunMessage(0x0017, Attribute(0x0013, Bytes(33, 7)))));
  const auto traffic = Collect(file.bytes());
  REQUIRE(traffic.size() == 1);
  // Time begins with the first packet that is replayed.
  CHECK(traffic[0][0].slots == std::vector<load::PatternSlot>{{Duration(0), 101}});
  CHECK(traffic[0][1].slots == std::vector<load::PatternSlot>{{milliseconds(3), 33}});
}

TEST_CASE("a capture cut to headers is as good as a whole one") {
  PcapFile whole = Call(5);
  PcapFile cut;
  for (uint32_t i = 0; i < 5; ++i) {
    const auto sequence = static_cast<uint16_t>(i);
    const Duration time = kStart + milliseconds(20) * static_cast<int>(i);
    cut.Add(time + Jitter(i), Frame(kPhone, kOther, RtpPacket(111, sequence, 960 * i, 7, 80 + i)),
            60);
    cut.Add(time + milliseconds(7),
            Frame(kOther, kPhone, RtpPacket(111, sequence, 960 * i, 8, 60 + i)), 60);
  }
  CHECK(Collect(cut.bytes())[0][0].slots == Collect(whole.bytes())[0][0].slots);
}

TEST_CASE("what is not replayed is counted by its reason, and can be chosen") {
  PcapFile file = Call(2);
  file.Add(kStart, Ethernet(0x0806, Bytes(28, 0)));
  file.Add(kStart, Ethernet(0x0800, Ipv4(kPhone, kOther, 17, Bytes(30, 0), 0x2000)));
  file.Add(kStart, Frame(kPhone, kServer, Bytes(40, 1)));
  const auto scan = ScanOf(file.bytes());
  REQUIRE(scan);
  CHECK(scan->packets == 7);
  CHECK(scan->skipped[static_cast<size_t>(Skip::kNotIp)] == 1);
  CHECK(scan->skipped[static_cast<size_t>(Skip::kFragment)] == 1);
  CHECK(scan->flows.size() == 2);
  CHECK(scan->taken_flows() == 1);
  CHECK(scan->taken_packets() == 4);
  ScanOptions options;
  options.all_udp = true;
  CHECK(ScanOf(file.bytes(), options)->taken_flows() == 2);
  options.flow_numbers = {2};
  CHECK(ScanOf(file.bytes(), options)->taken_bytes() == 40);
  options.flow_numbers = {3};
  CHECK(Error(file, options) == "--flow 3: test.pcap has 2 UDP flows; --dry-run lists them");
}

TEST_CASE("only the first part is read") {
  PcapFile file = Call(100);
  ScanOptions options;
  options.first = milliseconds(200);
  CHECK(Collect(file.bytes(), options)[0][0].slots.size() == 10);
}

TEST_CASE("captures without anything to replay say what they hold") {
  PcapFile file;
  CHECK(Error(file) == "test.pcap holds no packet");
  file.Add(kStart, Ethernet(0x0806, Bytes(28, 0)));
  file.Add(kStart, Ethernet(0x0800, Ipv4(kPhone, kOther, 6, Bytes(20, 0))));
  CHECK(Error(file) == "test.pcap holds no UDP among 2 packets (1 not IP, 1 TCP)");
  file.Add(kStart, Frame(kPhone, kServer, Bytes(40, 1)));
  CHECK(Error(file) ==
        "test.pcap holds neither RTP nor a TURN client's leg among 1 UDP flow and 3 packets (1 not "
        "IP, 1 TCP); --dry-run --all-udp lists them, --all-udp replays them as they are");
}

TEST_CASE("a capture that is cut off fails, unless that is allowed") {
  PcapFile file = Call(3);
  file.bytes().pop_back();
  CHECK(Error(file).starts_with("test.pcap is cut off after 5 packets: "));
  CHECK(Error(file).ends_with("; --allow-truncated takes it as far as it goes"));
  ScanOptions options;
  options.allow_truncated = true;
  CHECK(ScanOf(file.bytes(), options)->truncated);
  CHECK(Collect(file.bytes(), options)[0][1].slots.size() == 2);
}

TEST_CASE("what lasts too long is refused, and what changed since it was scanned") {
  PcapFile file = Call(2);
  file.Add(kStart + std::chrono::hours(73), Frame(kPhone, kOther, RtpPacket(111, 2, 1920, 7, 80)));
  const auto scan = ScanOf(file.bytes());
  REQUIRE(scan);
  const auto collect = [&](PcapFile& from, double speed) {
    auto capture = OpenBytes(from.bytes());
    return CollectTraffic(*capture, "test.pcap", *scan, {}, speed);
  };
  CHECK(collect(file, 1).error() ==
        "test.pcap, replayed, lasts longer than 72h: use --first or --speed");
  CHECK(collect(file, 2).has_value());
  PcapFile other = Call(1);
  CHECK(collect(other, 2).error() == "test.pcap has changed while it was read");
}

TEST_CASE("a clock that steps back goes on from the newest packet; jitter between queues stays") {
  CaptureClock clock;
  CHECK(clock.Place(seconds(100)) == Duration(0));
  CHECK(clock.Place(seconds(101)) == seconds(1));
  CHECK(clock.Place(seconds(101) - milliseconds(3)) == seconds(1) - milliseconds(3));
  CHECK(clock.Place(seconds(50)) == seconds(1));
  CHECK(clock.steps() == 1);
  CHECK(clock.Place(seconds(52)) == seconds(3));
  CHECK(clock.Place(seconds(10)) == seconds(3));
  CHECK(clock.Place(seconds(11)) == seconds(4));
  CHECK(clock.steps() == 2);
}

TEST_CASE("a clock that goes back by lifetimes, again and again, never goes back in the replay") {
  CaptureClock clock;
  const Duration last = Duration::max() / 2 + milliseconds(999);  // the largest of Capture::Next
  CHECK(clock.Place(Duration(0)) == Duration(0));
  for (int i = 0; i < 5; ++i) {
    CHECK(clock.Place(last) >= last);
    CHECK(clock.Place(Duration(0)) > Duration::max() / 2 - seconds(2));
  }
  CHECK(clock.steps() == 5);
}

TEST_CASE("what was captured out of order leaves with the packet before it") {
  PcapFile file;
  for (const auto& [sequence, ms] : std::vector<std::pair<uint16_t, int>>{{1, 0}, {2, 5}, {3, 4}}) {
    file.Add(kStart + milliseconds(ms), Frame(kPhone, kOther, RtpPacket(0, sequence, 0, 7, 80)));
  }
  const auto slots = Collect(file.bytes())[0][0].slots;
  CHECK(slots[2].offset() == milliseconds(5));
}

}  // namespace
}  // namespace turnpike::replay
