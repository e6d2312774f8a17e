#include "server/io/dtls_hub.h"

#include <doctest/doctest.h>

#include "server/io/connection_limits.h"
#include "server/io/dtls_context.h"
#include "tests/server/io/dtls_client.h"
#include "tests/server/io/fake_stream_host.h"

namespace turnpike {
namespace {

using std::chrono::seconds;

constexpr LinkId kListener(3);

// HubWorld is a hub and what it sends, by the client it goes to.
struct HubWorld final : public DtlsPort {
  explicit HubWorld(ConnectionLimits* limits = nullptr)
      : tls(*TlsContext::Make({}, WallTime(seconds(1'800'000'000)))),
        context(*DtlsContext::Make(tls->ToPem())),
        hub(host, *this, stats, {.limits = limits, .tls = nullptr, .dtls = context}) {}

  void SendDatagram(LinkId listener, const FiveTuple& tuple, std::vector<uint8_t> bytes) override {
    CHECK(listener == kListener);
    sent[tuple.client].push_back(std::move(bytes));
  }

  static FiveTuple Flow(const char* client) {
    return {Address(client), Address("192.0.2.9:5349"), Transport::kDtls};
  }
  void Deliver(const char* from, std::vector<uint8_t> datagram) {
    hub.OnDatagram(kListener, Flow(from), datagram);
  }

  // Exchange carries everything both ways until nobody says more.
  void Exchange(const char* from, DtlsTestClient& client) {
    for (int i = 0; i < 8; ++i) {
      client.Step();
      for (auto& datagram : std::exchange(client.to_server, {})) Deliver(from, std::move(datagram));
      for (auto& datagram : std::exchange(sent[Address(from)], {})) {
        client.from_server.push_back(std::move(datagram));
      }
    }
    client.Step();
  }

  void Advance(Duration duration) {
    host.Advance(duration);
    hub.OnTimer(host.time.mono);
    hub.Reap();
  }
  uint64_t Closed(ConnectionEnd end) const { return stats.closed[static_cast<size_t>(end)].Get(); }
  uint64_t Handshakes(TlsHandshake result) const {
    return stats.dtls_handshakes[static_cast<size_t>(result)].Get();
  }
  uint64_t Open() const { return stats.connections[static_cast<size_t>(Transport::kDtls)].Get(); }

  std::unique_ptr<TlsContext> tls;
  std::shared_ptr<DtlsContext> context;
  FakeStreamHost host;
  StreamStats stats;
  std::map<TransportAddress, std::vector<std::vector<uint8_t>>> sent;
  DtlsHub hub;
};

}  // namespace

TEST_CASE("7350 a client shakes hands, and its messages reach the host, one by one") {
  HubWorld world;
  DtlsTestClient client;
  world.Exchange("192.0.2.1:7", client);
  REQUIRE(client.established);
  CHECK(world.stats.dtls_cookies.Get() == 1);
  CHECK(world.Handshakes(TlsHandshake::kOk) == 1);
  CHECK(world.Open() == 1);
  client.Send(StunOf());
  client.Send(ChannelDataOf("abc"));
  world.Exchange("192.0.2.1:7", client);
  REQUIRE(world.host.messages.size() == 2);
  CHECK(world.host.messages[0].bytes == StunOf());
  CHECK(world.host.messages[1].bytes == ChannelDataOf("abc"));
  const Client& name = world.host.messages[0].client;
  CHECK(name.five_tuple == HubWorld::Flow("192.0.2.1:7"));
  CHECK(name.link == LinkId(kFirstDtlsSession));
}

TEST_CASE("what goes to a client is sealed: Forwards with header and padding, and STUN") {
  HubWorld world;
  DtlsTestClient client;
  world.Exchange("192.0.2.1:7", client);
  Forward forward = ForwardOf(LinkId(kFirstDtlsSession), "payload");
  forward.padding_size = 1;
  const auto sealed = world.hub.Seal(forward);
  REQUIRE(sealed);
  CHECK(sealed->listener == kListener);
  client.from_server.push_back(sealed->bytes);
  world.hub.SendStun(LinkId(kFirstDtlsSession), AsBytes("an answer"));
  world.hub.SendStun(LinkId(kFirstDtlsSession + 1), AsBytes("to nobody"));
  world.Exchange("192.0.2.1:7", client);
  CHECK(client.received == std::vector<std::string>{MessageOf("payload"), "an answer"});
  CHECK(world.hub.Seal(ForwardOf(LinkId(kFirstDtlsSession + 1), "x")).error() ==
        DropReason::kClientGone);
  const std::string too_large(20000, 'x');
  CHECK(world.hub.Seal(ForwardOf(LinkId(kFirstDtlsSession), too_large)).error() ==
        DropReason::kTooLarge);
}

TEST_CASE("6347_4_2_1 a flood of first ClientHellos leaves no state and is not amplified") {
  HubWorld world;
  DtlsTestClient client;
  client.Step();
  const auto hello = client.to_server.at(0);
  for (int port = 1; port <= 5000; ++port) {
    const std::string from = "192.0.2.1:" + std::to_string(port);
    world.Deliver(from.c_str(), hello);
    const auto& answers = world.sent[Address(from)];
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].size() <= hello.size());
  }
  CHECK(world.hub.size() == 0);
  CHECK(world.Open() == 0);
  CHECK(world.stats.dtls_cookies.Get() == 5000);
  CHECK(!world.hub.NextDeadline());
}

TEST_CASE("strangers that begin no handshake get no answer, and are counted") {
  HubWorld world;
  for (const std::string& bytes : {std::string("GET / HTTP/1.1"), StunOf(), std::string(1, '\x16'),
                                   std::string(100, '\x16'), std::string()}) {
    world.Deliver("192.0.2.1:7", {bytes.begin(), bytes.end()});
  }
  CHECK(world.stats.dtls_discarded.Get() == 5);
  CHECK(world.sent.empty());
  CHECK(world.hub.size() == 0);
}

TEST_CASE("limits hold for sessions, and what ends gives its place back") {
  ConnectionLimits limits(2, 1);
  HubWorld world(&limits);
  DtlsTestClient a, b, c, d;
  world.Exchange("192.0.2.1:7", a);
  world.Exchange("192.0.2.1:8", b);
  CHECK(!b.established);
  CHECK(world.Closed(ConnectionEnd::kTooManyOfAddress) >= 1);
  world.Exchange("192.0.2.2:7", c);
  world.Exchange("192.0.2.3:7", d);
  CHECK(c.established);
  CHECK(!d.established);
  CHECK(world.Closed(ConnectionEnd::kTooMany) >= 1);
  CHECK(limits.total() == 2);
  a.Close();
  world.Exchange("192.0.2.1:7", a);
  CHECK(world.hub.Reap());
  CHECK(limits.total() == 1);
  CHECK(world.Closed(ConnectionEnd::kClientClosed) == 1);
  CHECK(world.host.closed == std::vector{LinkId(kFirstDtlsSession)});
}

TEST_CASE("half a handshake ends at the deadline, and so does one that sends nothing") {
  HubWorld world;
  DtlsTestClient half, silent;
  half.Step();
  world.Deliver("192.0.2.1:7", std::exchange(half.to_server, {}).front());
  half.from_server.push_back(world.sent[Address("192.0.2.1:7")].at(0));
  half.Step();
  world.Deliver("192.0.2.1:7", std::exchange(half.to_server, {}).front());
  world.Exchange("192.0.2.2:7", silent);
  REQUIRE(silent.established);
  CHECK(world.hub.size() == 2);
  world.Advance(seconds(9));
  CHECK(world.hub.size() == 2);
  world.Advance(seconds(2));
  CHECK(world.hub.size() == 0);
  CHECK(world.Closed(ConnectionEnd::kNoMessage) == 2);
  CHECK(world.Handshakes(TlsHandshake::kTimedOut) == 1);
  world.Exchange("192.0.2.2:7", silent);
  CHECK(silent.closed);  // it was told
}

TEST_CASE("without an allocation a session idles out; with one it stays") {
  HubWorld world;
  DtlsTestClient idle, busy;
  for (auto& [from, client] : {std::pair{"192.0.2.1:7", &idle}, std::pair{"192.0.2.2:7", &busy}}) {
    world.Exchange(from, *client);
    client->Send(StunOf());
    world.Exchange(from, *client);
  }
  world.host.allocated = {LinkId(kFirstDtlsSession + 1)};
  world.Advance(seconds(61));
  CHECK(world.host.closed == std::vector{LinkId(kFirstDtlsSession)});
  CHECK(world.Closed(ConnectionEnd::kIdle) == 1);
  world.host.allocated.clear();
  world.Advance(seconds(61));
  CHECK(world.hub.size() == 0);
  CHECK(!world.hub.NextDeadline());
}

TEST_CASE("6347_4_2_8 a client that comes anew replaces its session once its cookie is good") {
  HubWorld world;
  DtlsTestClient before, after;
  world.Exchange("192.0.2.1:7", before);
  after.Step();
  world.Deliver("192.0.2.1:7", std::exchange(after.to_server, {}).front());
  CHECK(!world.hub.Reap());  // a hello that anybody could have sent ends nothing
  CHECK(world.hub.size() == 1);
  for (auto& datagram : std::exchange(world.sent[Address("192.0.2.1:7")], {})) {
    after.from_server.push_back(std::move(datagram));
  }
  world.Exchange("192.0.2.1:7", after);
  CHECK(after.established);
  CHECK(world.hub.Reap());
  CHECK(world.hub.size() == 1);
  CHECK(world.host.closed == std::vector{LinkId(kFirstDtlsSession)});
  after.Send(StunOf());
  world.Exchange("192.0.2.1:7", after);
  REQUIRE(world.host.messages.size() == 1);
  CHECK(world.host.messages[0].client.link == LinkId(kFirstDtlsSession + 1));
}

TEST_CASE("6347_4_2_8 a client that comes anew keeps its place, though no other is free") {
  ConnectionLimits limits(10, 1);
  HubWorld world(&limits);
  DtlsTestClient before, after;
  world.Exchange("192.0.2.1:7", before);
  REQUIRE(before.established);
  world.Exchange("192.0.2.1:7", after);
  CHECK(after.established);
  CHECK(world.hub.Reap());
  CHECK(limits.total() == 1);
  CHECK(world.Closed(ConnectionEnd::kTooManyOfAddress) == 0);
  after.Close();
  world.Exchange("192.0.2.1:7", after);
  world.hub.Reap();
  CHECK(limits.total() == 0);
}

TEST_CASE("a failed handshake is counted and leaves nothing") {
  HubWorld world;
  DtlsTestClient old("NORMAL:-VERS-ALL:+VERS-DTLS1.0");
  world.Exchange("192.0.2.1:7", old);
  CHECK(old.error == GNUTLS_E_FATAL_ALERT_RECEIVED);
  CHECK(world.hub.Reap());
  CHECK(world.hub.size() == 0);
  CHECK(world.Handshakes(TlsHandshake::kFailed) == 1);
  CHECK(world.Closed(ConnectionEnd::kTlsFailed) == 1);
}

TEST_CASE("when the server stops, clients are told") {
  HubWorld world;
  DtlsTestClient client;
  world.Exchange("192.0.2.1:7", client);
  world.hub.EndAll();
  world.hub.Reap();
  world.Exchange("192.0.2.1:7", client);
  CHECK(client.closed);
  CHECK(world.Closed(ConnectionEnd::kStopped) == 1);
  CHECK(world.Open() == 0);
}

TEST_CASE("7983_7 the first byte tells DTLS from STUN and ChannelData") {
  for (int byte = 0; byte < 256; ++byte) {
    const std::vector<uint8_t> datagram = {static_cast<uint8_t>(byte)};
    CHECK(DtlsHub::IsDtls(datagram) == (byte >= 20 && byte <= 63));
  }
  CHECK(!DtlsHub::IsDtls({}));
}

}  // namespace turnpike
