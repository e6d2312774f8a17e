// TURN in captured datagrams.
#include "tools/replay/turn_message.h"

#include <doctest/doctest.h>

#include "tests/tools/replay/frames.h"

namespace turnpike::replay {
namespace {

constexpr uint16_t kAllocate = 0x0003;
constexpr uint16_t kAllocateSuccess = 0x0103;
constexpr uint16_t kAllocateError = 0x0113;
constexpr uint16_t kBinding = 0x0001;
constexpr uint16_t kSend = 0x0016;
constexpr uint16_t kData = 0x0017;
constexpr uint16_t kDataAttribute = 0x0013;

std::vector<TurnMessage> Read(const Bytes& bytes, size_t captured = SIZE_MAX) {
  std::vector<TurnMessage> messages;
  ReadTurn(ByteSpan(bytes).first(std::min(captured, bytes.size())),
           static_cast<uint32_t>(bytes.size()), messages);
  return messages;
}

Bytes Indication(uint16_t type, size_t size) {
  return StunMessage(type, Join({Attribute(0x0012, XorAddress(At("192.0.2.9:9"))),
                                 Attribute(kDataAttribute, Bytes(size, 7))}));
}

TEST_CASE("requests come from clients, answers from servers") {
  REQUIRE(Read(StunMessage(kAllocate, {})).size() == 1);
  CHECK(Read(StunMessage(kAllocate, {}))[0].sender == TurnSender::kClient);
  CHECK(Read(StunMessage(kAllocateError, {}))[0].sender == TurnSender::kServer);
  const auto success =
      Read(StunMessage(kAllocateSuccess, Attribute(0x0016, XorAddress(At("203.0.113.7:49152")))));
  REQUIRE(success.size() == 1);
  CHECK(success[0].sender == TurnSender::kServer);
  CHECK(success[0].relayed == At("203.0.113.7:49152"));
  CHECK(!success[0].has_data);
}

TEST_CASE("application data of Send, Data and ChannelData, without padding") {
  for (const size_t size : std::initializer_list<size_t>{0, 1, 5, 160}) {
    const auto send = Read(Indication(kSend, size));
    REQUIRE(send.size() == 1);
    CHECK(send[0].sender == TurnSender::kClient);
    CHECK(send[0].has_data);
    CHECK(send[0].data_size == size);
    CHECK(send[0].data.size() == size);
    const auto data = Read(Indication(kData, size));
    REQUIRE(data.size() == 1);
    CHECK(data[0].sender == TurnSender::kServer);
    CHECK(data[0].data_size == size);
    for (size_t padding = 0; padding < 4; ++padding) {
      const auto channel = Read(Join({ChannelMessage(0x4001, Bytes(size, 7)), Bytes(padding, 0)}));
      REQUIRE(channel.size() == 1);
      CHECK(channel[0].sender == TurnSender::kUnknown);
      CHECK(channel[0].data_size == size);
    }
  }
}

TEST_CASE("a capture cut to headers still tells sizes") {
  const auto channel = Read(ChannelMessage(0x4000, Bytes(1000, 7)), 40);
  REQUIRE(channel.size() == 1);
  CHECK(channel[0].data_size == 1000);
  CHECK(channel[0].data.size() == 36);
  const auto send = Read(Indication(kSend, 1000), 60);
  REQUIRE(send.size() == 1);
  CHECK(send[0].data_size == 1000);
}

TEST_CASE("datagrams that the kernel has not cut yet hold several messages") {
  for (const size_t padding : std::initializer_list<size_t>{0, 3}) {
    const Bytes one = Join({ChannelMessage(0x4000, Bytes(101, 7)), Bytes(padding, 0)});
    const auto messages = Read(Join({one, one, ChannelMessage(0x4000, Bytes(20, 7))}));
    REQUIRE(messages.size() == 3);
    CHECK(messages[1].data_size == 101);
    CHECK(messages[2].data_size == 20);
  }
}

TEST_CASE("what is not TURN: STUN Binding, RTP, and lengths that do not fit") {
  CHECK(Read({}).empty());
  CHECK(Read({0x40}).empty());
  CHECK(Read(StunMessage(kBinding, {})).empty());
  CHECK(Read(RtpPacket(0, 1, 160, 7, 172)).empty());
  CHECK(Read(Join({U16(0x4000), U16(20), Bytes(19, 0)})).empty());
  CHECK(Read(Join({ChannelMessage(0x4000, Bytes(8, 7)), Bytes(9, 0xFF)})).empty());
  Bytes message = StunMessage(kAllocate, Attribute(kDataAttribute, Bytes(4, 7)));
  message[4] = 0;  // of the cookie
  CHECK(Read(message).empty());
  message = StunMessage(kAllocate, Attribute(kDataAttribute, Bytes(4, 7)));
  message[23] = 5;  // beyond the message
  CHECK(Read(message).empty());
}

}  // namespace
}  // namespace turnpike::replay
