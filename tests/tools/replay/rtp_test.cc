// RTP as RFC 3550, 3551, 5761 and 7983 have it.
#include "tools/replay/rtp.h"

#include <doctest/doctest.h>

#include "tests/tools/replay/frames.h"

namespace turnpike::replay {
namespace {

using std::chrono::milliseconds;

std::optional<RtpHeader> Read(const Bytes& bytes) {
  return ReadRtp(bytes, static_cast<uint32_t>(bytes.size()));
}

// Stream is one of 50 packets, 20 ms apart, whose timestamps advance by `ticks` each.
RtpStream Stream(uint8_t payload_type, uint32_t ticks) {
  RtpStream stream({payload_type, 65'530, 4'294'967'000u, 7}, Duration(0));
  for (uint32_t i = 1; i < 50; ++i) {
    stream.Add({payload_type, static_cast<uint16_t>(65'530 + i), 4'294'967'000u + i * ticks, 7},
               milliseconds(20) * static_cast<int>(i));
  }
  return stream;
}

TEST_CASE("RFC 3550 §5.1: the fixed header") {
  const auto header = Read(RtpPacket(111, 65'535, 123'456, 0xDEADBEEF, 100));
  REQUIRE(header);
  CHECK(header->payload_type == 111);
  CHECK(header->sequence == 65'535);
  CHECK(header->timestamp == 123'456);
  CHECK(header->ssrc == 0xDEADBEEF);
  // The marker bit is not part of the type.
  CHECK(Read(RtpPacket(0x80 | 96, 1, 2, 3, 12))->payload_type == 96);
}

TEST_CASE("what is no RTP: other versions, RTCP, too short") {
  CHECK(!Read(RtpPacket(0, 1, 2, 3, 11)));
  for (const uint8_t first : Bytes{0x00, 0x40, 0xC0}) {
    Bytes packet = RtpPacket(0, 1, 2, 3, 20);
    packet[0] = first;
    CHECK(!Read(packet));
  }
  Bytes contributors = RtpPacket(0, 1, 2, 3, 20);
  contributors[0] = 0x83;  // three, in eight bytes
  CHECK(!Read(contributors));
  const Bytes report = Join({{0x80, 200}, U16(6), Bytes(24, 0)});
  CHECK(!Read(report));
  CHECK(IsRtcp(report, 28));
  CHECK(!IsRtcp(report, 27));
  CHECK(!IsRtcp(RtpPacket(0, 1, 2, 3, 40), 40));
}

TEST_CASE("RFC 3551 §6: static types have names, whatever the clock says") {
  CHECK(Stream(0, 160).codec() == "PCMU");
  CHECK(Stream(8, 1).codec() == "PCMA");
  CHECK(Stream(9, 160).codec() == "G722");
}

TEST_CASE("a dynamic type is guessed by its clock, also across the wrap of both counters") {
  CHECK(Stream(111, 960).clock_rate() == 48'000u);
  CHECK(Stream(111, 960).codec() == "Opus?");
  CHECK(Stream(96, 1800).codec() == "video?");
  CHECK(Stream(97, 320).codec() == "audio?");
  CHECK(Stream(97, 40'000).codec() == "dynamic");
  CHECK(Stream(97, 40'000).clock_rate() == std::nullopt);
  CHECK(RtpStream({96, 1, 1, 1}, Duration(0)).codec() == "dynamic");
  CHECK(RtpStream({77, 1, 1, 1}, Duration(0)).codec() == "unassigned");
}

TEST_CASE("successions and repeats") {
  CHECK(Stream(0, 160).successions() == 49);
  RtpStream stream({0, 10, 0, 7}, Duration(0));
  for (const uint16_t sequence : std::vector<uint16_t>{10, 11, 11, 20'000, 9, 13})
    stream.Add({0, sequence, 0, 7}, {});
  CHECK(stream.packets() == 7);
  CHECK(stream.successions() == 2);
  CHECK(stream.repeats() == 2);
}

TEST_CASE("streams are told apart by SSRC and type, and only so many are kept") {
  RtpStreams streams;
  for (uint32_t ssrc = 0; ssrc < 20; ++ssrc) streams.Add({0, 1, 1, ssrc}, {});
  streams.Add({101, 1, 1, 0}, {});
  streams.Add({0, 2, 1, 0}, {});
  REQUIRE(streams.streams().size() == RtpStreams::kMost);
  CHECK(streams.streams()[0].packets() == 2);
  CHECK(streams.packets_of_others() == 5);
}

}  // namespace
}  // namespace turnpike::replay
