// Data path, timers and hostile input of the TURN client.
#include "common/client/turn_client.h"

#include <doctest/doctest.h>

#include "common/stun/stream_framer.h"
#include "tests/common/client/scripted_server.h"
#include "tests/support/hex.h"

namespace turnpike {
namespace {

using namespace scripted;
using namespace std::chrono_literals;
using enum stun::AttributeType;

constexpr stun::TransactionId kId = {};

// Message is head, payload and padding, as a driver sends them.
Bytes Message(const DataHead& head, size_t payload_size) {
  Bytes bytes(head.bytes().begin(), head.bytes().end());
  bytes.resize(bytes.size() + payload_size, 0xAB);
  bytes.resize(bytes.size() + head.padding);
  return bytes;
}

Bytes DataIndication(std::string_view peer, std::string_view payload) {
  std::array<uint8_t, 256> buffer;
  stun::MessageBuilder builder(buffer, stun::Class::kIndication, stun::Method::kData, kId);
  builder.AddXorAddress(kXorPeerAddress, Address(peer));
  builder.AddText(kData, payload);
  const ByteSpan bytes = builder.FinishUnauthenticated(false);
  return {bytes.begin(), bytes.end()};
}

TEST_CASE("8656_11_1: before a channel is bound, payload goes in Send indications") {
  Conversation talk;
  talk.Allocate();
  for (const char* peer : {"192.0.2.1:5000", "[2001:db8::1]:5000"}) {
    for (const size_t size : {0u, 1u, 3u, 4u, 1200u}) {
      const auto head = talk.client().HeadFor(Peer(peer), size);
      REQUIRE(head);
      const Bytes bytes = Message(*head, size);
      const auto view = stun::MessageView::Parse(bytes);
      REQUIRE(view);
      CHECK(view->message_class() == stun::Class::kIndication);
      CHECK(view->method() == stun::Method::kSend);
      CHECK(stun::DecodeXorAddress(view->Find(kXorPeerAddress).value(), view->transaction_id()) ==
            Address(peer));
      CHECK(view->Find(kData)->size() == size);
    }
  }
  CHECK_FALSE(talk.client().HeadFor(Peer("192.0.2.1:5000"), 65536));
}

TEST_CASE("8489_5: no two indications share a transaction id") {
  Conversation talk;
  talk.Allocate();
  std::vector<Bytes> ids;
  for (int i = 0; i < 600; ++i) {
    const auto head = talk.client().HeadFor(Peer("192.0.2.1:5000"), 1);
    ids.emplace_back(head->storage.begin() + 8, head->storage.begin() + 20);
  }
  std::ranges::sort(ids);
  CHECK(std::ranges::adjacent_find(ids) == ids.end());
}

TEST_CASE("8656_12_5: on a bound channel payload goes in ChannelData, padded on streams only") {
  for (const Transport transport : {Transport::kUdp, Transport::kTcp}) {
    TurnClientOptions options = Options();
    options.transport = transport;
    Conversation talk(options);
    talk.Allocate();
    CHECK(talk.client().BindChannel(Peer("192.0.2.1:5000"), talk.now()));
    CHECK(talk.client().HeadFor(Peer("192.0.2.1:5000"), 5)->size == 36);  // not bound yet
    talk.Receive(Success(talk.Sent()));
    const auto head = talk.client().HeadFor(Peer("192.0.2.1:5000"), 5);
    CHECK(std::ranges::equal(head->bytes(), FromHex("40000005")));
    CHECK(head->padding == (transport == Transport::kTcp ? 3 : 0));
    CHECK(talk.client().HeadFor(Peer("192.0.2.1:5000"), 65535));
    CHECK_FALSE(talk.client().HeadFor(Peer("192.0.2.1:5000"), 65536));
    if (transport == Transport::kTcp) {
      const Bytes bytes = Message(*head, 5);
      CHECK(stun::NextFrame(bytes).value()->consumed == bytes.size());
    }
  }
}

TEST_CASE("8656_11_6: Data from a permitted peer is returned as a view, any other is discarded") {
  Conversation talk;
  talk.Allocate();
  CHECK_FALSE(talk.Receive(DataIndication("192.0.2.1:5000", "hello")));
  talk.Permit("192.0.2.1");
  const auto data = talk.Receive(DataIndication("192.0.2.1:5001", "hello"));  // any port
  REQUIRE(data);
  CHECK(data->peer == Peer("192.0.2.1:5001"));
  CHECK(AsText(data->payload) == "hello");
  CHECK(talk.Receive(DataIndication("192.0.2.1:5001", ""))->payload.empty());
  CHECK_FALSE(talk.Receive(DataIndication("192.0.2.2:5000", "hello")));
  talk.Bind("192.0.2.2:7000");  // a channel permits its peer too
  CHECK(talk.Receive(DataIndication("192.0.2.2:5000", "hello")));
}

TEST_CASE("8656_11_6: a Data indication without peer or DATA, or of another method, is discarded") {
  Conversation talk;
  talk.Allocate();
  talk.Permit("192.0.2.1");
  Bytes wrong_method = DataIndication("192.0.2.1:5000", "x");
  wrong_method[1] = 0x16;  // a Send indication
  CHECK_FALSE(talk.Receive(wrong_method));
  std::array<uint8_t, 64> buffer;
  stun::MessageBuilder builder(buffer, stun::Class::kIndication, stun::Method::kData, kId);
  builder.AddXorAddress(kXorPeerAddress, Address("192.0.2.1:5000"));
  builder.AddBytes(kIcmp, FromHex("0000030100000000"));
  const ByteSpan icmp = builder.FinishUnauthenticated(false);
  CHECK_FALSE(talk.Receive({icmp.begin(), icmp.end()}));
}

TEST_CASE("8656_12_6: ChannelData is returned with the channel's peer, unknown channels are not") {
  Conversation talk;
  talk.Allocate();
  CHECK_FALSE(talk.Receive(FromHex("40000002 abcd")));
  CHECK(talk.client().BindChannel(Peer("192.0.2.1:5000"), talk.now()));
  // It may overtake the success response.
  const auto data = talk.Receive(FromHex("40000002 abcd"));
  REQUIRE(data);
  CHECK(data->peer == Peer("192.0.2.1:5000"));
  CHECK(std::ranges::equal(data->payload, FromHex("abcd")));
  CHECK_FALSE(talk.Receive(FromHex("40010002 abcd")));
  CHECK_FALSE(talk.Receive(FromHex("40000003 abcd")));
}

// SendTimes returns when the client sends its Allocate, until it fails.
std::vector<Duration> SendTimes(Transport transport, Duration& failed_at) {
  TurnClientOptions options = Options();
  options.transport = transport;
  Conversation talk(options);
  const MonoTime start = talk.now();
  talk.client().Allocate(talk.now());
  const Bytes first = talk.Sent().bytes;
  std::vector<Duration> times = {0s};
  while (true) {
    const Duration at = talk.WaitForDeadline(start);
    auto message = talk.client().PollTransmit();
    if (!message) {
      failed_at = at;
      CHECK(talk.Event<Failed>().code == 0);
      return times;
    }
    CHECK(*message == first);  // a retransmission is the same to the byte
    times.push_back(at);
  }
}

TEST_CASE("8489_6_2_1: over UDP a request is sent seven times and given up after 39.5 s") {
  Duration failed_at{};
  const std::vector<Duration> expected = {0s, 500ms, 1500ms, 3500ms, 7500ms, 15500ms, 31500ms};
  CHECK(SendTimes(Transport::kUdp, failed_at) == expected);
  CHECK(failed_at == 39500ms);
}

TEST_CASE("8489_6_2_2: over a stream it is sent once and given up after as long") {
  Duration failed_at{};
  CHECK(SendTimes(Transport::kTls, failed_at) == std::vector<Duration>{0s});
  CHECK(failed_at == 39500ms);
}

TEST_CASE(
    "8489_6_2_1: a response stops the retransmissions, a late driver sends once, not thrice") {
  Conversation talk;
  talk.client().Allocate(talk.now());
  const Request request = talk.Sent();
  talk.Wait(5s);
  CHECK(talk.Sent().bytes == request.bytes);
  talk.Receive(Challenge(request, 401, "nonce-1"));
  talk.Receive(Grant(talk.Sent()));
  talk.Event<Allocated>();
  talk.Wait(60s);
  CHECK(talk.NothingSent());
}

TEST_CASE("permissions and allocation that all time out at once end the client once") {
  Conversation talk;
  talk.Allocate(120);
  talk.client().InstallPermission(Address("192.0.2.1:0").ip, talk.now());
  CHECK(talk.client().BindChannel(Peer("192.0.2.2:1"), talk.now()));
  for (int i = 0; i < 40; ++i) talk.Wait(60s);
  int ends = 0;
  while (const auto event = talk.client().PollEvent()) {
    const auto* failed = std::get_if<Failed>(&*event);
    REQUIRE(failed != nullptr);
    CHECK(failed->code == 0);
    ends += failed->request == RequestKind::kRefresh ? 1 : 0;
  }
  CHECK(ends == 1);
  CHECK(talk.client().state() == TurnClient::State::kDone);
  CHECK_FALSE(talk.client().NextDeadline());
}

TEST_CASE("hostile input: truncated, flipped, of another transaction or method, changes nothing") {
  Conversation talk;
  talk.client().Allocate(talk.now());
  talk.Receive(Challenge(talk.Sent(), 401, "nonce-1"));
  const Request request = talk.Sent();
  const Bytes grant = Grant(request);
  CHECK_FALSE(talk.Receive({}));
  for (size_t size = 0; size < grant.size(); ++size) {
    talk.Receive(Bytes(grant.begin(), grant.begin() + static_cast<std::ptrdiff_t>(size)));
  }
  for (size_t bit = 0; bit < grant.size() * 8; ++bit) {
    Bytes flipped = grant;
    flipped[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    talk.Receive(flipped);
  }
  talk.Receive(request.bytes);  // its own request, reflected
  CHECK(talk.Quiet());
  CHECK(talk.NothingSent());
  talk.Receive(grant);
  talk.Event<Allocated>();
}

}  // namespace
}  // namespace turnpike
