#include "server/turn/nesting.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>

#include "tests/support/expect.h"

namespace turnpike {

namespace {

Bytes InChannel(ByteSpan payload, size_t padding = 0) {
  const auto header =
      stun::ChannelDataHeader(stun::ChannelNumber(0x4001), static_cast<uint16_t>(payload.size()));
  Bytes bytes(header.begin(), header.end());
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  bytes.resize(bytes.size() + padding);
  return bytes;
}

Bytes InData(ByteSpan payload) {
  std::array<uint8_t, 2000> buffer;
  stun::MessageBuilder builder(buffer, stun::Class::kIndication, stun::Method::kData, {});
  builder.AddXorAddress(stun::AttributeType::kXorPeerAddress, Address("9.9.9.9:9"));
  builder.AddBytes(stun::AttributeType::kData, payload);
  const ByteSpan made = builder.FinishUnauthenticated(false);
  return {made.begin(), made.end()};
}

}  // namespace

TEST_CASE("every wrapping counts, of either kind, up to the limit") {
  Bytes bytes(100, 0x80);
  for (int depth = 0; depth < 9; ++depth) {
    CAPTURE(depth);
    CHECK(NestingDepth(bytes, 100) == depth);
    CHECK(NestingDepth(bytes, 4) == std::min(depth, 4));
    bytes = depth % 2 == 0 ? InChannel(bytes, 3) : InData(bytes);
  }
}

TEST_CASE("what only begins like a wrapping is none") {
  CHECK(NestingDepth({}, 4) == 0);
  CHECK(NestingDepth(AsBytes("@"), 4) == 0);
  CHECK(NestingDepth(AsBytes("GET / HTTP/1.1\r\n\r\n"), 4) == 0);
  const Bytes inner(20, 0x80);
  Bytes longer = InChannel(inner, 4);
  CHECK(NestingDepth(longer, 4) == 0);
  Bytes shorter = InChannel(inner);
  shorter.pop_back();
  CHECK(NestingDepth(shorter, 4) == 0);
  Bytes cut = InData(inner);
  cut.pop_back();
  CHECK(NestingDepth(cut, 4) == 0);
  const auto empty = std::to_array<uint8_t>({0x40, 0, 0, 0});
  CHECK(NestingDepth(empty, 4) == 1);
}

}  // namespace turnpike
