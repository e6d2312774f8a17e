#include "server/io/stream_connection.h"

#include <doctest/doctest.h>

#include <unordered_set>

#include "server/io/connection_limits.h"
#include "tests/server/io/fake_stream_host.h"

namespace turnpike {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// LargestChannelData is the longest message that a channel can carry.
std::string LargestChannelData() { return ChannelDataOf(std::string(65535, 'z')); }

}  // namespace

TEST_CASE("8656_12_5 messages are framed byte by byte; padding stays behind") {
  StreamWorld world;
  const UniqueFd client = world.Connect();
  const std::string stream = StunOf(8) + MessageOf("abcde") + MessageOf("") + StunOf();
  for (const char byte : stream) {
    world.Write(client, {&byte, 1});
    world.Turn();
  }
  REQUIRE(world.host.messages.size() == 4);
  CHECK(world.host.messages[0].bytes == StunOf(8));
  CHECK(world.host.messages[1].bytes == ChannelDataOf("abcde"));
  CHECK(world.host.messages[2].bytes == ChannelDataOf(""));
  CHECK(world.host.messages[3].bytes == StunOf());
  const Client& seen = world.host.messages[0].client;
  CHECK(seen.link == world.link);
  CHECK(seen.five_tuple.transport == Transport::kTcp);
  CHECK(seen.five_tuple.client == Address("192.0.2.1:7"));
  CHECK(seen.five_tuple.server == Address("192.0.2.9:3478"));
}

TEST_CASE("8656_12_5 many messages in one segment, and the largest ones") {
  StreamWorld world;
  const UniqueFd client = world.Connect();
  std::string stream = StunOf();
  for (int i = 0; i < 200; ++i) stream += MessageOf(std::string(static_cast<size_t>(i), 'x'));
  stream += LargestChannelData() + '\0';
  world.host.allocated.insert(world.link);
  stream += StunOf(65532);
  std::string_view left = stream;
  REQUIRE(world.Until([&] {
    const ssize_t sent = send(client.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (sent > 0) left.remove_prefix(static_cast<size_t>(sent));
    return world.host.messages.size() == 203;
  }));
  for (size_t i = 0; i < 200; ++i) {
    CHECK(world.host.messages[i + 1].bytes == ChannelDataOf(std::string(i, 'x')));
  }
  CHECK(world.host.messages[201].bytes == LargestChannelData());
  CHECK(world.host.messages[202].bytes == StunOf(65532));
  world.Turn();
  CHECK(world.hub.Find(world.link)->memory() < 32 << 10);
}

TEST_CASE("received bytes stay while they may still be sent on") {
  StreamWorld world;
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 40; ++i) {
    clients.push_back(world.Connect());
    world.host.allocated.insert(world.link);
    world.Write(clients.back(), StunOf(20'000));
  }
  // All in one turn: more than the receive memory holds, so the host is asked to send in between.
  uv_run(world.loop.get(), UV_RUN_NOWAIT);
  CHECK(world.host.messages.size() == 40);
  CHECK(world.host.memory_full > 0);
  world.EndTurn();
}

TEST_CASE("what is no TURN closes the connection and is counted") {
  const std::string http = "GET / HTTP/1.1\r\nHost: relay\r\n\r\n";
  const std::string dns("\x00\x1d\xab\xcd\x01\x20\x00\x01\x00\x00", 10);
  const std::string tls("\x16\x03\x01\x00\xf4\x01", 6);
  for (const std::string& garbage : {http, dns, tls, std::string("SSH-2.0-x\r\n"),
                                     std::string(8, '\xff'), ChannelDataOf("early")}) {
    CAPTURE(garbage);
    StreamWorld world;
    const UniqueFd client = world.Connect();
    world.Write(client, garbage);
    world.Turn();
    CHECK(world.hub.size() == 0);
    CHECK(world.Closed(ConnectionEnd::kNotTurn) == 1);
    CHECK(world.host.messages.empty());
    CHECK(world.host.closed == std::vector{world.link});
    CHECK(world.stats.connections[static_cast<size_t>(Transport::kTcp)].Get() == 0);
  }
}

TEST_CASE("without an allocation half of a large message is not waited for") {
  StreamWorld world;
  const UniqueFd client = world.Connect();
  const UniqueFd other = world.Connect();
  world.host.allocated.insert(world.link);
  const std::string large = StunOf(65532).substr(0, 9000);
  world.Write(client, StunOf() + large);
  world.Write(other, StunOf() + large);
  world.Turn();
  CHECK(world.host.messages.size() == 2);
  CHECK(world.hub.size() == 1);
  CHECK(world.hub.Find(world.link) != nullptr);
  CHECK(world.Closed(ConnectionEnd::kNotTurn) == 1);
}

TEST_CASE("garbage behind a message ends the connection after that message") {
  StreamWorld world;
  const UniqueFd client = world.Connect();
  world.Write(client, StunOf() + std::string(4, '\xff') + StunOf());
  world.Turn();
  CHECK(world.host.messages.size() == 1);
  CHECK(world.Closed(ConnectionEnd::kNotTurn) == 1);
}

TEST_CASE("a connection that the client closes, or half of it, is over; what came before counts") {
  for (const bool half : {true, false}) {
    CAPTURE(half);
    StreamWorld world;
    UniqueFd client = world.Connect();
    world.Write(client, StunOf() + "\x40");
    if (half) {
      shutdown(client.get(), SHUT_WR);
    } else {
      client.Reset();
    }
    REQUIRE(world.Until([&] { return world.hub.size() == 0; }));
    CHECK(world.host.messages.size() == 1);
    CHECK(world.Closed(ConnectionEnd::kClientClosed) == 1);
    CHECK(world.host.closed == std::vector{world.link});
  }
}

TEST_CASE("Forwards and STUN messages arrive in order, padded, and are reported as sent") {
  StreamWorld world;
  const UniqueFd client = world.Connect();
  StreamConnection& connection = *world.hub.Find(world.link);
  CHECK(connection.SendForward(ForwardOf(world.link, "media")).has_value());
  connection.SendStun({'s', 't', 'u', 'n'});
  const std::string large(65535, 'm');
  CHECK(connection.SendForward(ForwardOf(world.link, large)).has_value());
  CHECK(world.reports.reports.empty());
  std::string got;
  const std::string want = MessageOf("media") + "stun" + MessageOf(large);
  REQUIRE(world.Until([&] {
    got += world.Read(client);
    return got.size() >= want.size();
  }));
  CHECK(got == want);
  CHECK(world.reports.reports.size() == 2);
}

TEST_CASE("a client that never reads: memory is bounded, the rest is refused as queue_full") {
  StreamOptions options;
  options.write_queue_bytes = 128 << 10;
  StreamWorld world(options);
  const UniqueFd client = world.Connect();
  world.Write(client, StunOf());
  world.Turn();
  StreamConnection& connection = *world.hub.Find(world.link);
  const std::string payload(1200, 'm');
  size_t queued = 0;
  size_t refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto result = connection.SendForward(ForwardOf(world.link, payload));
    result ? ++queued : ++refused;
    if (!result) CHECK(result.error() == DropReason::kQueueFull);
    for (int j = 0; j < 3; ++j) connection.SendStun(std::vector<uint8_t>(100, 's'));
    if (i % 32 == 0) world.Turn();
  }
  CHECK(refused > 15'000);
  CHECK(connection.queue().size() <= options.write_queue_bytes + WriteQueue::kMessageReserve);
  CHECK(connection.memory() < 1 << 20);
  const size_t reported = world.reports.reports.size();
  CHECK(reported < queued);

  // The client stays away: the connection ends, and what waits is nobody's.
  world.host.allocated.insert(world.link);
  world.host.Advance(options.write_timeout - milliseconds(1));
  world.hub.OnTimer(world.host.time.mono);
  CHECK_FALSE(connection.end().has_value());
  world.host.Advance(milliseconds(1));
  CHECK(world.hub.NextDeadline() <= world.host.time.mono);
  world.hub.OnTimer(world.host.time.mono);
  world.EndTurn();
  CHECK(world.Closed(ConnectionEnd::kWriteStalled) == 1);
  REQUIRE(world.reports.reports.size() == queued);
  for (size_t i = reported; i < queued; ++i) {
    CHECK(world.reports.reports[i].second == std::unexpected(DropReason::kClientGone));
  }
  CHECK(world.host.closed == std::vector{world.link});
}

TEST_CASE("a slow reader that does read is not stalled") {
  StreamWorld world;
  const UniqueFd client = world.Connect();
  world.Write(client, StunOf());
  world.Turn();
  world.host.allocated.insert(world.link);
  StreamConnection& connection = *world.hub.Find(world.link);
  const std::string payload(60'000, 'm');
  for (int i = 0; i < 20; ++i) {
    while (connection.SendForward(ForwardOf(world.link, payload))) {
    }
    world.Turn();
    CHECK(!world.Read(client).empty());
    world.Turn();
    world.host.Advance(seconds(20));
    world.hub.OnTimer(world.host.time.mono);
    world.EndTurn();
    REQUIRE(world.hub.size() == 1);
  }
}

TEST_CASE("a connection without a whole message ends at its deadline, bytes or not") {
  StreamWorld world;
  const UniqueFd silent = world.Connect();
  const UniqueFd slow = world.Connect();
  const std::string request = StunOf();
  for (size_t i = 0; i < 10; ++i) {
    world.Write(slow, {&request[i], 1});
    world.Turn();
    world.hub.OnTimer(world.host.time.mono);
    world.EndTurn();
    CHECK(world.hub.size() == 2);
    world.host.Advance(seconds(1));
  }
  world.hub.OnTimer(world.host.time.mono);
  world.EndTurn();
  CHECK(world.hub.size() == 0);
  CHECK(world.Closed(ConnectionEnd::kNoMessage) == 2);
}

TEST_CASE("without an allocation a silent connection ends; with one it lives as long as that") {
  StreamWorld world;
  const UniqueFd client = world.Connect();
  world.Write(client, StunOf());
  world.Turn();
  world.host.allocated.insert(world.link);
  for (int i = 0; i < 100; ++i) {
    world.host.Advance(seconds(30));
    world.hub.OnTimer(world.host.time.mono);
    world.EndTurn();
    REQUIRE(world.hub.size() == 1);
  }
  world.host.allocated.clear();
  world.host.Advance(seconds(59));
  world.Write(client, StunOf());
  world.Turn();
  world.host.Advance(seconds(59));
  world.hub.OnTimer(world.host.time.mono);
  world.EndTurn();
  CHECK(world.hub.size() == 1);
  world.host.Advance(seconds(1));
  world.hub.OnTimer(world.host.time.mono);
  world.EndTurn();
  CHECK(world.hub.size() == 0);
  CHECK(world.Closed(ConnectionEnd::kIdle) == 1);
}

TEST_CASE("ids of connections are never used for another one") {
  StreamWorld world;
  std::unordered_set<uint32_t> seen;
  for (int i = 0; i < 100; ++i) {
    UniqueFd client = world.Connect();
    CHECK(world.hub.Find(world.link) != nullptr);
    CHECK(seen.insert(world.link.value()).second);
    CHECK(world.link.value() >= kFirstConnection);
    client.Reset();
    REQUIRE(world.Until([&] { return world.hub.size() == 0; }));
    CHECK(world.hub.Find(world.link) == nullptr);
  }
}

TEST_CASE("a connection that ends while its message is handled takes nothing more") {
  StreamWorld world;
  const UniqueFd client = world.Connect();
  world.host.on_message = [&] { world.hub.Find(world.link)->End(ConnectionEnd::kStopped); };
  world.Write(client, StunOf() + StunOf());
  world.Turn();
  CHECK(world.host.messages.size() == 1);
  CHECK(world.hub.size() == 0);
}

TEST_CASE("connections beyond the caps are closed at once; an IPv6 host counts with its /64") {
  ConnectionLimits limits(3, 2);
  StreamOptions options;
  options.limits = &limits;
  StreamWorld world(options);
  std::vector<UniqueFd> clients;
  clients.push_back(world.Connect({}, "[2001:db8::1]:1"));
  clients.push_back(world.Connect({}, "[2001:db8::2]:1"));
  UniqueFd refused = world.Connect({}, "[2001:db8::3]:1");
  world.link = LinkId(world.link.value() - 1);
  CHECK(world.Closed(ConnectionEnd::kTooManyOfAddress) == 1);
  clients.push_back(world.Connect({}, "192.0.2.1:1"));
  refused = world.Connect({}, "192.0.2.2:1");
  CHECK(world.Closed(ConnectionEnd::kTooMany) == 1);
  CHECK(world.hub.size() == 3);
  CHECK(limits.total() == 3);
  clients.clear();
  REQUIRE(world.Until([&] { return world.hub.size() == 0; }));
  CHECK(limits.total() == 0);
  clients.push_back(world.Connect({}, "[2001:db8::3]:1"));
  CHECK(world.hub.size() == 1);
}

TEST_CASE("the end of the server ends every connection") {
  StreamWorld world;
  const UniqueFd first = world.Connect();
  const UniqueFd second = world.Connect();
  world.hub.EndAll();
  CHECK(world.hub.Reap());
  CHECK(world.hub.size() == 0);
  CHECK(world.Closed(ConnectionEnd::kStopped) == 2);
  CHECK(world.host.closed.size() == 2);
}

}  // namespace turnpike
