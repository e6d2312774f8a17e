#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include "server/io/tls_context.h"
#include "tests/server/io/fake_stream_host.h"

namespace turnpike {
namespace {

constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

// TlsClient speaks TLS on a socket.
struct TlsClient {
  explicit TlsClient(UniqueFd socket) : fd(std::move(socket)), ssl(SSL_new(context.get())) {
    SSL_set_fd(ssl.get(), fd.get());
    SSL_set_connect_state(ssl.get());
  }
  bool Connected() { return SSL_do_handshake(ssl.get()) == 1; }
  void Write(const std::string& bytes) {
    CHECK(SSL_write(ssl.get(), bytes.data(), static_cast<int>(bytes.size())) ==
          static_cast<int>(bytes.size()));
  }
  // Read takes all that there is.
  std::string Read() {
    std::string all;
    std::array<char, 20'000> buffer;
    while (true) {
      const int got = SSL_read(ssl.get(), buffer.data(), static_cast<int>(buffer.size()));
      if (got <= 0) return all;
      all.append(buffer.data(), static_cast<size_t>(got));
    }
  }

  bssl::UniquePtr<SSL_CTX> context{SSL_CTX_new(TLS_method())};
  UniqueFd fd;
  bssl::UniquePtr<SSL> ssl;
};

struct TlsHubWorld {
  TlsHubWorld() : context(*TlsContext::Make({}, kNow)), world(Options()) {}
  StreamOptions Options() {
    StreamOptions options;
    options.write_queue_bytes = 128 << 10;
    options.tls = context;
    return options;
  }
  uint64_t Handshakes(TlsHandshake result) const {
    return world.stats.handshakes[static_cast<size_t>(result)].Get();
  }
  uint64_t Open(Transport transport) const {
    return world.stats.connections[static_cast<size_t>(transport)].Get();
  }

  std::shared_ptr<TlsContext> context;
  StreamWorld world;
};

constexpr StreamListenOptions kBoth{.address = {}, .plain = true, .tls = true};
constexpr StreamListenOptions kTlsOnly{.address = {}, .plain = false, .tls = true};

}  // namespace

TEST_CASE("one port, TCP and TLS: the first byte tells, and the 5-tuple says which it was") {
  TlsHubWorld tls;
  StreamWorld& world = tls.world;
  TlsClient secure(world.Connect(kBoth));
  const LinkId secure_link = world.link;
  const UniqueFd plain = world.Connect(kBoth);
  world.Turn();
  world.Write(plain, StunOf());
  REQUIRE(world.Until([&] { return secure.Connected(); }));
  secure.Write(StunOf(4) + StunOf());
  REQUIRE(world.Until([&] { return world.host.messages.size() == 3; }));
  for (const auto& message : world.host.messages) {
    const bool is_secure = message.client.link == secure_link;
    CHECK(message.client.five_tuple.transport == (is_secure ? Transport::kTls : Transport::kTcp));
  }
  CHECK(tls.Open(Transport::kTls) == 1);
  CHECK(tls.Open(Transport::kTcp) == 1);
  CHECK(tls.Handshakes(TlsHandshake::kOk) == 1);

  StreamConnection& connection = *world.hub.Find(secure_link);
  CHECK(connection.SendForward(ForwardOf(secure_link, "media")).has_value());
  connection.SendStun({'s', 't', 'u', 'n'});
  CHECK(world.reports.reports.empty());
  std::string got;
  REQUIRE(world.Until([&] {
    got += secure.Read();
    return got.size() >= 16;
  }));
  CHECK(got == MessageOf("media") + "stun");
  CHECK(world.reports.reports.size() == 1);
}

TEST_CASE("a TLS client that never reads: bounded, refused, and a whole stream up to its end") {
  TlsHubWorld tls;
  StreamWorld& world = tls.world;
  TlsClient client(world.Connect(kTlsOnly));
  REQUIRE(world.Until([&] { return client.Connected(); }));
  client.Write(StunOf());
  world.Turn();
  StreamConnection& connection = *world.hub.Find(world.link);
  const std::string payload(1200, 'm');
  size_t queued = 0;
  for (int i = 0; i < 5'000; ++i) {
    queued += connection.SendForward(ForwardOf(world.link, payload)).has_value() ? 1 : 0;
    if (i % 32 == 0) world.Turn();
  }
  CHECK(queued < 1000);
  CHECK(connection.queue().size() <= 128 << 10);
  CHECK(connection.memory() < 1 << 20);
  // What was not refused arrives, record for record.
  std::string got;
  REQUIRE(world.Until([&] {
    got += client.Read();
    return got.size() >= queued * 1204;
  }));
  CHECK(got.size() == queued * 1204);
  CHECK(world.reports.reports.size() == queued);
}

TEST_CASE("a TLS port takes nothing but TLS; failures and timeouts of handshakes are counted") {
  TlsHubWorld tls;
  StreamWorld& world = tls.world;
  const UniqueFd plain = world.Connect(kTlsOnly);
  world.Write(plain, StunOf());
  world.Turn();
  CHECK(world.Closed(ConnectionEnd::kNotTurn) == 1);
  CHECK(world.host.messages.empty());

  const UniqueFd broken = world.Connect(kTlsOnly);
  world.Write(broken, std::string("\x16\x03\x01\x00\x05hello", 10));
  world.Turn();
  CHECK(world.Closed(ConnectionEnd::kTlsFailed) == 1);
  CHECK(tls.Handshakes(TlsHandshake::kFailed) == 1);
  CHECK(world.Read(broken).starts_with("\x15"));  // an alert

  const UniqueFd slow = world.Connect(kTlsOnly);
  world.Write(slow, "\x16\x03");
  world.Turn();
  world.host.Advance(std::chrono::seconds(10));
  world.hub.OnTimer(world.host.time.mono);
  world.EndTurn();
  CHECK(world.Closed(ConnectionEnd::kNoMessage) == 1);
  CHECK(tls.Handshakes(TlsHandshake::kTimedOut) == 1);
  CHECK(world.hub.size() == 0);
}

TEST_CASE("garbage inside TLS ends the connection like outside") {
  TlsHubWorld tls;
  StreamWorld& world = tls.world;
  TlsClient client(world.Connect(kTlsOnly));
  REQUIRE(world.Until([&] { return client.Connected(); }));
  client.Write("GET / HTTP/1.1\r\n\r\n");
  REQUIRE(world.Until([&] { return world.hub.size() == 0; }));
  CHECK(world.Closed(ConnectionEnd::kNotTurn) == 1);
}

}  // namespace turnpike
