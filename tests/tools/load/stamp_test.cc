// Stamps in payloads.
#include "tools/load/stamp.h"

#include <doctest/doctest.h>

#include <array>

namespace turnpike::load {
namespace {

TEST_CASE("a stamp comes back as it was written, in both directions") {
  for (const auto direction : {Direction::kClientToPeer, Direction::kPeerToClient}) {
    std::array<uint8_t, kStampSize + 3> payload{};
    payload.back() = 7;
    const Stamp stamp{1234567, 4000000000u, direction, MonoTime(Duration(0x123456789ABCDEF))};
    WriteStamp(stamp, 0xCAFE1235, payload);
    CHECK(ReadStamp(payload, 0xCAFE1235) == stamp);
    CHECK(ReadStamp(payload, 0xCAFE1234) == stamp);
    CHECK(payload.back() == 7);
  }
}

TEST_CASE("payloads of others and short ones have no stamp") {
  std::array<uint8_t, kStampSize> payload{};
  WriteStamp({1, 2, Direction::kClientToPeer, MonoTime()}, 1000, payload);
  CHECK(ReadStamp(payload, 1000));
  CHECK(!ReadStamp(payload, 1002));
  CHECK(!ReadStamp(ByteSpan(payload).first(kStampSize - 1), 1000));
  CHECK(!ReadStamp({}, 1000));
}

}  // namespace
}  // namespace turnpike::load
