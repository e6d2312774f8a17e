// The driver with clients over TCP: what is billed when they read, and when they do not.
#include <doctest/doctest.h>

#include "common/stun/stream_framer.h"
#include "server/io/driver.h"
#include "tests/server/io/io_world.h"
#include "tests/server/io/test_stream.h"

namespace turnpike {
namespace {

// StreamClient is a TurnClient on a TCP connection.
class StreamClient {
 public:
  StreamClient(const TransportAddress& server, int receive_buffer = 0)
      : stream_(server, receive_buffer), turn_(Options(), random_) {}

  static TurnClientOptions Options() {
    TurnClientOptions options = Alice();
    options.transport = Transport::kTcp;
    return options;
  }

  TurnClient& turn() { return turn_; }
  TestStream& stream() { return stream_; }

  void Pump() {
    buffer_ += stream_.TryReceive();
    while (true) {
      const auto frame = stun::NextFrame(AsBytes(buffer_));
      if (!frame || !*frame) break;
      if (const auto data = turn_.OnServerMessage((*frame)->message, LiveClient::Now())) {
        received.emplace_back(AsText(data->payload));
      }
      buffer_.erase(0, (*frame)->consumed);
    }
    while (auto message = turn_.PollTransmit()) stream_.Send(AsText(*message));
    while (auto event = turn_.PollEvent()) events_.push_back(*event);
  }

  template <typename Event>
  std::optional<Event> Find() const {
    for (const ClientEvent& event : events_) {
      if (const auto* each = std::get_if<Event>(&event)) return *each;
    }
    return std::nullopt;
  }

  std::vector<std::string> received;

 private:
  SystemRandom random_;
  TestStream stream_;
  TurnClient turn_;
  std::string buffer_;
  std::vector<ClientEvent> events_;
};

// Call is a client with an allocation and a channel to `peer`.
struct Call {
  explicit Call(int receive_buffer = 0)
      : server(*world.driver.ListenStream({.address = Address("127.0.0.1:0")})),
        client(server, receive_buffer),
        peer(Address("127.0.0.1:0")) {
    client.turn().Allocate(LiveClient::Now());
    REQUIRE(Until([&] { return client.Find<Allocated>().has_value(); }));
    relayed = client.Find<Allocated>()->relayed.value();
    client.turn().BindChannel(PeerAddress(peer.address()), LiveClient::Now());
    REQUIRE(Until([&] { return client.Find<ChannelBound>().has_value(); }));
  }

  template <typename Predicate>
  bool Until(Predicate done) {
    return world.Until([&] {
      client.Pump();
      return done();
    });
  }
  SlotSnapshot Slot() { return world.slots->Read(world.slots->UsedSlots()[0]); }

  IoWorld world;
  TransportAddress server;
  StreamClient client;
  TestSocket peer;
  TransportAddress relayed;
};

}  // namespace

TEST_CASE("a call over TCP: payload crosses both ways and is counted to the byte") {
  Call call;
  const auto head = *call.client.turn().HeadFor(PeerAddress(call.peer.address()), 5);
  const std::string message =
      std::string(AsText(head.bytes())) + "hello" + std::string(head.padding, '\0');
  for (const char byte : message + message) call.client.stream().Send({&byte, 1});
  std::vector<std::string> arrived;
  REQUIRE(call.Until([&] {
    while (auto datagram = call.peer.TryReceive()) arrived.push_back(datagram->bytes);
    return arrived.size() == 2;
  }));
  CHECK(arrived == std::vector<std::string>{"hello", "hello"});
  for (int i = 0; i < 50; ++i)
    call.peer.Send(std::string(static_cast<size_t>(i), 'x'), call.relayed);
  REQUIRE(call.Until([&] { return call.client.received.size() == 50; }));
  for (size_t i = 0; i < 50; ++i) CHECK(call.client.received[i] == std::string(i, 'x'));
  const SlotSnapshot slot = call.Slot();
  CHECK(slot.totals.payload_bytes == std::array<uint64_t, 2>{10, 49 * 50 / 2});
  CHECK(slot.totals.packets == std::array<uint64_t, 2>{2, 50});
}

TEST_CASE("the end of a connection ends its allocation") {
  Call call;
  call.client.stream().Reset();
  REQUIRE(call.world.Until([&] { return call.world.core.allocation_count() == 0; }));
  CHECK(call.Slot().closed);
  CHECK(call.Slot().close_reason == CloseReason::kTransportClosed);
  CHECK(call.world.ports.ports_in_use() == 0);
}

TEST_CASE("what a client does not read is dropped, not billed, and final when all is closed") {
  for (const bool server_ends : {true, false}) {
    CAPTURE(server_ends);
    Call call(4096);
    const std::string payload(1000, 'm');
    const auto drops = [&](DropReason reason) {
      return call.world.core.stats().dropped_packets[static_cast<size_t>(reason)].Get();
    };
    uint64_t sent = 0;
    REQUIRE(call.world.Until([&] {
      for (int i = 0; i < 50; ++i, ++sent) call.peer.Send(payload, call.relayed);
      return drops(DropReason::kQueueFull) >= 100;
    }));
    if (server_ends) {
      call.world.driver.CloseAll(CloseReason::kDrained);
    } else {
      call.client.stream().Reset();
      REQUIRE(call.world.Until([&] { return call.world.core.allocation_count() == 0; }));
    }
    const SlotSnapshot slot = call.Slot();
    CHECK(slot.closed);
    CHECK(slot.close_reason ==
          (server_ends ? CloseReason::kDrained : CloseReason::kTransportClosed));
    CHECK(slot.totals.payload_bytes[1] == slot.totals.packets[1] * 1000);
    CHECK(drops(DropReason::kClientGone) > 0);
    // Every datagram is billed or has a reason, unless the kernel itself lost it or still has it.
    CHECK(slot.totals.packets[1] + drops(DropReason::kQueueFull) + drops(DropReason::kClientGone) <=
          sent);
  }
}

}  // namespace turnpike
