#include "common/stun/channel_data.h"

#include <doctest/doctest.h>

#include <vector>

#include "tests/support/hex.h"

namespace turnpike::stun {
namespace {

TEST_CASE("8656_12_4: empty, exact and padded payloads") {
  const auto empty = FromHex("40000000");
  CHECK(ParseChannelData(empty)->payload.empty());
  const auto exact = FromHex("4fff0003 010203");
  CHECK(ParseChannelData(exact)->channel == kLastChannel);
  CHECK(ParseChannelData(exact)->payload.size() == 3);
  CHECK(ParseChannelData(exact)->payload.data() == exact.data() + 4);
  CHECK(ParseChannelData(FromHex("40000001 01000000 ffff"))->payload.size() == 1);
}

TEST_CASE("8656_12_4: a length past the end, and every truncation of the header") {
  CHECK_FALSE(ParseChannelData({}));
  for (const char* hex : {"40", "4000", "400000", "40000001", "40000004010203", "4000ffff00"}) {
    CAPTURE(hex);
    CHECK_FALSE(ParseChannelData(FromHex(hex)));
  }
  auto largest = FromHex("4001ffff");
  largest.resize(4 + 65535);
  CHECK(ParseChannelData(largest)->payload.size() == 65535);
  largest.pop_back();
  CHECK_FALSE(ParseChannelData(largest));
}

TEST_CASE("8656_12: only 0x4000-0x7FFF were ever channel numbers") {
  for (const char* hex : {"3fff0000", "80000000", "00000000", "ffff0000"}) {
    CAPTURE(hex);
    CHECK_FALSE(ParseChannelData(FromHex(hex)));
  }
}

TEST_CASE("header: parses back") {
  const auto header = ChannelDataHeader(ChannelNumber(0x4123), 0);
  CHECK(ParseChannelData(header)->channel == ChannelNumber(0x4123));
  CHECK(ChannelDataHeader(ChannelNumber(0x4123), 0x0405) ==
        std::array<uint8_t, 4>{0x41, 0x23, 0x04, 0x05});
}

TEST_CASE("kind: the first byte tells") {
  CHECK(KindOf(0x00) == MessageKind::kStun);
  CHECK(KindOf(0x03) == MessageKind::kStun);
  CHECK(KindOf(0x04) == MessageKind::kOther);
  CHECK(KindOf(0x3F) == MessageKind::kOther);
  CHECK(KindOf(0x40) == MessageKind::kChannelData);
  CHECK(KindOf(0x7F) == MessageKind::kChannelData);
  CHECK(KindOf(0x80) == MessageKind::kOther);
  CHECK(KindOf(0xFF) == MessageKind::kOther);
}

TEST_CASE("padding to four") {
  CHECK(PaddingFor(0) == 0);
  CHECK(PaddingFor(1) == 3);
  CHECK(PaddingFor(3) == 1);
  CHECK(PaddingFor(4) == 0);
  CHECK(PaddingFor(65535) == 1);
}

}  // namespace
}  // namespace turnpike::stun
