// Captures as libpcap reads them, and what is wrong with some.
#include "tools/replay/capture.h"

#include <doctest/doctest.h>

#include "tests/support/temp_directory.h"
#include "tests/tools/replay/frames.h"

namespace turnpike::replay {
namespace {

using std::chrono::seconds;

std::string ErrorOf(Bytes bytes) {
  const auto capture = OpenBytes(bytes);
  return capture ? "" : capture.error().what;
}

TEST_CASE("pcap keeps nanoseconds, and makes them of microseconds") {
  for (const bool nanoseconds : {true, false}) {
    PcapFile file(kEthernetLink, nanoseconds);
    file.Add(seconds(1'764'000'000) + Duration(123'456'789), Bytes(60, 1), 20);
    auto capture = OpenBytes(file.bytes());
    REQUIRE(capture);
    CHECK(capture->link_type() == LinkType::kEthernet);
    const auto packet = capture->Next();
    REQUIRE(packet);
    REQUIRE(packet->has_value());
    CHECK((*packet)->time ==
          seconds(1'764'000'000) + Duration(nanoseconds ? 123'456'789 : 123'456'000));
    CHECK((*packet)->bytes.size() == 20);
    CHECK((*packet)->length == 60);
    const auto end = capture->Next();
    REQUIRE(end);
    CHECK(!end->has_value());
  }
}

TEST_CASE("pcapng, with nanoseconds") {
  constexpr uint64_t kTime = 1'764'000'000'123'456'789;
  Bytes file = Join({Le32(0x0A0D0D0A), Le32(28), Le32(0x1A2B3C4D), Le16(1), Le16(0),
                     Le32(UINT32_MAX), Le32(UINT32_MAX), Le32(28)});
  // An interface: Ethernet, if_tsresol 10^-9.
  Append(file, Join({Le32(1),
                     Le32(32),
                     Le16(1),
                     Le16(0),
                     Le32(0),
                     Le16(9),
                     Le16(1),
                     {9, 0, 0, 0},
                     Le32(0),
                     Le32(32)}));
  Append(file, Join({Le32(6),
                     Le32(36),
                     Le32(0),
                     Le32(kTime >> 32),
                     Le32(static_cast<uint32_t>(kTime)),
                     Le32(4),
                     Le32(4),
                     {1, 2, 3, 4},
                     Le32(36)}));
  auto capture = OpenBytes(file);
  REQUIRE(capture);
  const auto packet = capture->Next();
  REQUIRE(packet);
  REQUIRE(packet->has_value());
  CHECK((*packet)->time == Duration(kTime));
  CHECK((*packet)->length == 4);
}

TEST_CASE("the links that captures come from") {
  const std::pair<uint32_t, LinkType> links[] = {{1, LinkType::kEthernet}, {113, LinkType::kSll},
                                                 {276, LinkType::kSll2},   {101, LinkType::kRaw},
                                                 {228, LinkType::kRaw},    {229, LinkType::kRaw},
                                                 {0, LinkType::kNull},     {108, LinkType::kNull}};
  for (const auto& [number, type] : links) {
    PcapFile file(number);
    const auto capture = OpenBytes(file.bytes());
    REQUIRE(capture);
    CHECK(capture->link_type() == type);
  }
  CHECK(ErrorOf(PcapFile(105).bytes()) ==
        "test.pcap was captured on a link of type 105 (802.11): Ethernet, Linux cooked, raw IP and "
        "loopback are understood");
}

TEST_CASE("a capture that is cut off says after how many packets, anywhere") {
  PcapFile file;
  file.Add(seconds(1), Bytes(60, 1));
  file.Add(seconds(2), Bytes(60, 1));
  const size_t whole = file.bytes().size();
  for (const size_t missing : std::initializer_list<size_t>{1, 59, 60, 61, 75}) {
    Bytes bytes = file.bytes();
    bytes.resize(whole - missing);
    auto capture = OpenBytes(bytes);
    REQUIRE(capture);
    REQUIRE(capture->Next());
    const auto packet = capture->Next();
    REQUIRE(!packet);
    CHECK(packet.error().cut_off);
    CHECK(packet.error().what.starts_with("test.pcap is cut off after 1 packets: "));
  }
}

TEST_CASE("what is no capture says so") {
  CHECK(ErrorOf({'#', '!', '/', 'b', 'i', 'n', '/', 's', 'h', '\n', 'l', 's'})
            .starts_with("test.pcap is no capture (pcap or pcapng): "));
  CHECK(ErrorOf({0xA1}).starts_with("test.pcap is no capture"));
  CHECK(ErrorOf({0x1F, 0x8B, 8, 0, 0, 0}) ==
        "test.pcap is compressed: unpack it first (gunzip, unzstd)");
  const TempDirectory directory;
  const auto error = [](const std::string& path) { return Capture::Open(path).error().what; };
  CHECK(error(directory.file("none")) ==
        directory.file("none") + " cannot be read: No such file or directory");
  CHECK(error(directory.path()).starts_with(directory.path() + " is no regular file"));
  std::fclose(std::fopen(directory.file("empty").c_str(), "w"));
  CHECK(error(directory.file("empty")) == directory.file("empty") + " is empty");
}

}  // namespace
}  // namespace turnpike::replay
