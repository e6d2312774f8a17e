#include "common/stun/stream_framer.h"

#include <doctest/doctest.h>

#include <string_view>
#include <vector>

#include "common/stun/channel_data.h"
#include "tests/support/hex.h"
#include "tests/vectors/rfc5769.h"

namespace turnpike::stun {
namespace {

using Bytes = std::vector<uint8_t>;

void Append(Bytes& stream, const Bytes& bytes) {
  stream.insert(stream.end(), bytes.begin(), bytes.end());
}

// Conversation is a stream of STUN messages and padded ChannelData of many sizes, and what a framer
// must find in it.
struct Conversation {
  Bytes stream;
  std::vector<Bytes> messages;

  void AddStun(std::string_view hex) {
    messages.push_back(FromHex(hex));
    Append(stream, messages.back());
  }
  void AddChannelData(size_t size) {
    const auto header = ChannelDataHeader(kFirstChannel, static_cast<uint16_t>(size));
    Bytes message(header.begin(), header.end());
    message.resize(4 + size, static_cast<uint8_t>(size));
    messages.push_back(message);
    message.resize(message.size() + PaddingFor(size));
    Append(stream, message);
  }
};

Conversation MakeConversation() {
  Conversation conversation;
  conversation.AddStun(vectors::kSampleRequest);
  for (size_t size = 0; size < 9; ++size) conversation.AddChannelData(size);
  conversation.AddStun(vectors::kLongTermRequest);
  conversation.AddChannelData(1200);
  return conversation;
}

Bytes Copy(ByteSpan bytes) { return {bytes.begin(), bytes.end()}; }

TEST_CASE("8656_12_5: many messages in one segment") {
  const Conversation conversation = MakeConversation();
  ByteSpan rest = conversation.stream;
  for (const Bytes& expected : conversation.messages) {
    const auto frame = NextFrame(rest);
    REQUIRE(frame);
    REQUIRE(*frame);
    CHECK(Copy((*frame)->message) == expected);
    rest = rest.subspan((*frame)->consumed);
  }
  CHECK(rest.empty());
  CHECK_FALSE(NextFrame(rest).value());
}

TEST_CASE("8656_12_5: the same byte by byte") {
  const Conversation conversation = MakeConversation();
  Bytes buffer;
  std::vector<Bytes> found;
  for (const uint8_t byte : conversation.stream) {
    buffer.push_back(byte);
    const auto frame = NextFrame(buffer);
    REQUIRE(frame);
    if (!*frame) continue;
    found.push_back(Copy((*frame)->message));
    CHECK((*frame)->consumed == buffer.size());
    buffer.clear();
  }
  CHECK(buffer.empty());
  CHECK(found == conversation.messages);
}

TEST_CASE("8656_12_5: the largest frames fit kMaxFrameSize") {
  Bytes channel_data = FromHex("4000ffff");
  channel_data.resize(4 + 65535);
  CHECK_FALSE(NextFrame(channel_data).value());  // one byte of padding is still to come
  channel_data.push_back(0);
  CHECK(NextFrame(channel_data).value()->consumed == 65540);
  Bytes stun = FromHex("0001fffc 2112a442");
  stun.resize(20 + 65532);
  CHECK(NextFrame(stun).value()->consumed == 65552);
  CHECK(stun.size() <= kMaxFrameSize);
}

TEST_CASE("8656_12_5: a reserved channel number is framed, so the stream goes on") {
  const auto bytes = FromHex("7fff0001 aa000000 40000000");
  const auto frame = NextFrame(bytes);
  CHECK(frame.value()->consumed == 8);
  CHECK(frame.value()->message.size() == 5);
}

TEST_CASE("nonsense is refused with the first byte that shows it") {
  CHECK(NextFrame(FromHex("80")).error() == FrameError::kNotTurn);
  CHECK(NextFrame(FromHex("ff")).error() == FrameError::kNotTurn);
  CHECK(NextFrame(FromHex("1603010201")).error() == FrameError::kNotTurn);  // a TLS hello
  CHECK_FALSE(NextFrame(FromHex("00010000 21")).value());
  CHECK(NextFrame(FromHex("00010000 2113")).error() == FrameError::kNotTurn);
  CHECK(NextFrame(FromHex("00010000 2112a443")).error() == FrameError::kNotTurn);
  CHECK(NextFrame(FromHex("00010001")).error() == FrameError::kBadLength);
  CHECK(NextFrame(FromHex("0001ffff")).error() == FrameError::kBadLength);
}

TEST_CASE("an HTTP request looks like ChannelData: only an idle deadline can end it") {
  CHECK_FALSE(NextFrame(AsBytes("GET / HTTP/1.1\r\n")).value());
}

}  // namespace
}  // namespace turnpike::stun
