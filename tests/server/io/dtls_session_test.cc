#include "server/io/dtls_session.h"

#include <doctest/doctest.h>

#include "server/io/dtls_context.h"
#include "tests/server/io/dtls_client.h"
#include "tests/support/core_world.h"

namespace turnpike {
namespace {

constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

// SessionWorld is a session and its client, past the cookie.
struct SessionWorld {
  explicit SessionWorld(const char* priorities = "NORMAL:-VERS-ALL:+VERS-DTLS1.2",
                        std::string_view protocol = {})
      : tls(*TlsContext::Make({}, kNow)),
        context(*DtlsContext::Make(tls->ToPem())),
        client(priorities, protocol) {
    client.Step();
    SeededRandom random(1);
    const FiveTuple flow{Address("192.0.2.1:7"), Address("192.0.2.9:5349"), Transport::kDtls};
    const auto first = ReadDtlsHello(std::exchange(client.to_server, {}).front());
    client.from_server.push_back(DtlsCookies(random).Challenge(flow, first.value(), {}));
    client.Step();
    const auto hello = ReadDtlsHello(client.to_server.front());
    REQUIRE(hello);
    session = std::make_unique<DtlsSession>(*context, *hello);
  }

  // ToServer delivers what the client has said; ToClient what the session has.
  void ToServer() {
    for (auto& datagram : std::exchange(client.to_server, {})) Deliver(std::move(datagram));
  }
  void Deliver(std::vector<uint8_t> datagram) {
    session->Feed(datagram);
    size_t used = 0;
    while (true) {
      const auto got = session->Receive(std::span(datagram).subspan(used));
      status = got.status;
      if (got.status != DtlsSession::Status::kMessage) return;
      received.emplace_back(AsText(ByteSpan(datagram).subspan(used, got.size)));
      used += got.size;
    }
  }
  void ToClient() {
    for (auto& datagram : session->TakeOutput()) client.from_server.push_back(std::move(datagram));
    client.Step();
  }
  bool Handshake() {
    for (int i = 0; i < 5 && !client.established; ++i) {
      ToServer();
      ToClient();
    }
    return client.established && session->is_established();
  }

  std::unique_ptr<TlsContext> tls;
  std::unique_ptr<DtlsContext> context;
  DtlsTestClient client;
  std::unique_ptr<DtlsSession> session;
  DtlsSession::Status status = DtlsSession::Status::kNothing;
  std::vector<std::string> received;
};

}  // namespace

TEST_CASE("DTLS 1.2 with ECDHE and AEAD, and nothing weaker") {
  struct Case {
    const char* client;
    bool works;
  };
  for (const Case& c : {Case{"NORMAL:-VERS-ALL:+VERS-DTLS1.2", true},
                        Case{"NORMAL:-VERS-ALL:+VERS-DTLS1.2:-CIPHER-ALL:+AES-256-GCM", true},
                        Case{"NORMAL:-VERS-ALL:+VERS-DTLS1.2:-CIPHER-ALL:+CHACHA20-POLY1305", true},
                        Case{"NORMAL:-VERS-ALL:+VERS-DTLS1.2:-CIPHER-ALL:+AES-128-CBC", false},
                        Case{"NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:+RSA", false},
                        Case{"NORMAL:-VERS-ALL:+VERS-DTLS1.0", false}}) {
    CAPTURE(c.client);
    SessionWorld world(c.client);
    CHECK(world.Handshake() == c.works);
    if (c.works) continue;
    CHECK(world.status == DtlsSession::Status::kFailed);
    CHECK(world.client.error == GNUTLS_E_FATAL_ALERT_RECEIVED);
    CHECK(!world.session->Seal(AsBytes("x")));
  }
}

TEST_CASE("7443_3 the session answers ALPN with the protocols of TURN") {
  for (const auto& [offered, chosen] :
       {std::pair{"stun.turn", "stun.turn"}, std::pair{"stun.nat-discovery", "stun.nat-discovery"},
        std::pair{"http/1.1", ""}, std::pair{"", ""}}) {
    SessionWorld world("NORMAL:-VERS-ALL:+VERS-DTLS1.2", offered);
    CHECK(world.Handshake());
    CHECK(world.client.Protocol() == chosen);
  }
}

TEST_CASE("7350_3 one record carries one message, both ways, and several may share a datagram") {
  SessionWorld world;
  REQUIRE(world.Handshake());
  for (const char* message : {"one", "two"}) world.client.Send(message);
  auto both = world.client.to_server[0];
  both.insert(both.end(), world.client.to_server[1].begin(), world.client.to_server[1].end());
  world.client.to_server.clear();
  world.Deliver(both);
  CHECK(world.received == std::vector<std::string>{"one", "two"});
  world.Deliver(both);  // replayed
  CHECK(world.received.size() == 2);
  CHECK(world.status == DtlsSession::Status::kNothing);

  world.client.from_server.push_back(*world.session->Seal(AsBytes("three")));
  world.client.Step();
  CHECK(world.client.received == std::vector<std::string>{"three"});
}

TEST_CASE("6347_4_1_2_7 forged records are dropped without a word and do no harm") {
  SessionWorld world;
  REQUIRE(world.Handshake());
  world.client.Send("message");
  const auto genuine = world.client.to_server.at(0);
  world.client.to_server.clear();
  for (size_t bit = 0; bit < genuine.size() * 8; ++bit) {
    auto forged = genuine;
    forged[bit / 8] = static_cast<uint8_t>(forged[bit / 8] ^ (1u << (bit % 8)));
    CAPTURE(bit);
    world.Deliver(forged);
    CHECK(world.status == DtlsSession::Status::kNothing);
  }
  // A plaintext alert, as anybody can write it: fatal, handshake_failure.
  world.Deliver({21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40});
  CHECK(world.status == DtlsSession::Status::kNothing);
  CHECK(world.session->TakeOutput().empty());
  CHECK(world.received.empty());
  world.Deliver(genuine);
  CHECK(world.received == std::vector<std::string>{"message"});
}

TEST_CASE("messages up to a record's size pass; a larger one is refused, and the session lives") {
  SessionWorld world;
  REQUIRE(world.Handshake());
  const std::string large(16000, 'x');
  world.client.from_server.push_back(*world.session->Seal(AsBytes(large)));
  world.client.Step();
  CHECK(world.client.received == std::vector<std::string>{large});
  const std::string too_large(16385, 'x');
  CHECK(world.session->Seal(AsBytes(too_large)).error() == DropReason::kTooLarge);
  CHECK(world.session->Seal(AsBytes("x")));
}

TEST_CASE("handshake messages fit the least MTU of IPv6") {
  SessionWorld world;
  world.ToServer();
  const auto flight = world.session->TakeOutput();
  CHECK(flight.size() > 1);
  for (const auto& datagram : flight) CHECK(datagram.size() <= 1232);
}

TEST_CASE("a session waits for the client's next flight, until the handshake is through") {
  SessionWorld world;
  world.ToServer();
  const auto wait = world.session->RetransmitIn();
  REQUIRE(wait);
  CHECK(*wait > Duration::zero());
  CHECK(*wait <= std::chrono::seconds(1));
  CHECK(world.session->OnTimer() == DtlsSession::Status::kNothing);  // nothing is due yet
  world.ToClient();
  REQUIRE(world.Handshake());
  CHECK(!world.session->RetransmitIn());
}

TEST_CASE("close_notify is heard and said") {
  SessionWorld first;
  REQUIRE(first.Handshake());
  first.client.Close();
  first.ToServer();
  CHECK(first.status == DtlsSession::Status::kClosed);
  SessionWorld second;
  REQUIRE(second.Handshake());
  second.session->Shutdown();
  second.ToClient();
  CHECK(second.client.closed);
}

TEST_CASE("before the handshake is through nothing is sealed, and no close_notify said") {
  SessionWorld world;
  CHECK(world.session->Seal(AsBytes("x")).error() == DropReason::kSendFailed);
  world.session->Shutdown();
  CHECK(world.session->TakeOutput().empty());
}

}  // namespace turnpike
