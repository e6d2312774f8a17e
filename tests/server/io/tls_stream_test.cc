#include "server/io/tls_stream.h"

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>

#include "server/io/tls_context.h"
#include "tests/server/io/fake_stream_host.h"

namespace turnpike {
namespace {

constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

// AllSink takes everything, or nothing while it is shut.
class AllSink final : public ByteSink {
 public:
  std::expected<size_t, int> Write(std::span<const iovec> vectors) override {
    const size_t before = taken.size();
    for (const iovec& vector : vectors) {
      const size_t count = std::min(limit - taken.size(), vector.iov_len);
      taken.append(static_cast<const char*>(vector.iov_base), count);
    }
    if (taken.size() == before) return std::unexpected(EAGAIN);
    return taken.size() - before;
  }

  std::string taken;
  size_t limit = SIZE_MAX;
};

// TlsWorld is a server's TlsStream and a client of BoringSSL, without sockets.
struct TlsWorld {
  explicit TlsWorld(const TlsOptions& options = {})
      : context(*TlsContext::Make(options, kNow)),
        client_context(SSL_CTX_new(TLS_method())),
        stream(*context, queue) {
    SSL_CTX_set_min_proto_version(client_context.get(), TLS1_2_VERSION);
  }

  // StartClient makes the client, after the test has set its context up.
  void StartClient() {
    client.reset(SSL_new(client_context.get()));
    SSL_set_bio(client.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client.get());
  }

  // ToServer and ToClient carry what the other one has said.
  TlsStream::Status ToServer() {
    std::string bytes(1 << 20, '\0');
    const int got = BIO_read(SSL_get_wbio(client.get()), bytes.data(), 1 << 20);
    bytes.resize(static_cast<size_t>(std::max(0, got)));
    std::vector<uint8_t> plaintext(bytes.size() + 32768);
    const auto received = stream.Receive(AsBytes(bytes), plaintext);
    at_server.append(AsText(ByteSpan(plaintext).first(received.size)));
    return received.status;
  }
  void ToClient() {
    queue.Resume();
    BIO_write(SSL_get_rbio(client.get()), sink.taken.data(), static_cast<int>(sink.taken.size()));
    sink.taken.clear();
    std::string bytes(1 << 20, '\0');
    while (true) {
      const int got = SSL_read(client.get(), bytes.data(), 1 << 20);
      if (got <= 0) break;
      at_client.append(bytes, 0, static_cast<size_t>(got));
    }
    ERR_clear_error();
  }

  bool Handshake() {
    if (client == nullptr) StartClient();
    for (int i = 0; i < 4; ++i) {
      ToClient();
      if (ToServer() != TlsStream::Status::kOk) {
        ToClient();  // the alert
        return false;
      }
    }
    ToClient();
    return stream.is_established() && SSL_in_init(client.get()) == 0;
  }

  std::unique_ptr<TlsContext> context;
  bssl::UniquePtr<SSL_CTX> client_context;
  AllSink sink;
  FakeReports reports;
  WriteQueue queue{sink, reports, 1 << 20};
  TlsStream stream;
  bssl::UniquePtr<SSL> client;
  std::string at_server;
  std::string at_client;
};

std::string Protocol(const TlsWorld& world) {
  const uint8_t* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(world.client.get(), &protocol, &size);
  return std::string(reinterpret_cast<const char*>(protocol), size);
}

void Offer(TlsWorld& world, std::string_view wire) {
  SSL_CTX_set_alpn_protos(world.client_context.get(), AsBytes(wire).data(),
                          static_cast<unsigned>(wire.size()));
}

}  // namespace

TEST_CASE("both versions, and each alone; what is not offered is refused") {
  struct Case {
    bool offers_12;
    bool offers_13;
    uint16_t client;
    bool works;
  };
  for (const Case& c :
       {Case{true, true, TLS1_3_VERSION, true}, Case{true, true, TLS1_2_VERSION, true},
        Case{true, false, TLS1_2_VERSION, true}, Case{true, false, TLS1_3_VERSION, false},
        Case{false, true, TLS1_3_VERSION, true}, Case{false, true, TLS1_2_VERSION, false},
        Case{true, true, TLS1_1_VERSION, false}}) {
    CAPTURE(c.offers_12);
    CAPTURE(c.offers_13);
    CAPTURE(c.client);
    TlsWorld world(
        {.certificate = {}, .key = {}, .offers_12 = c.offers_12, .offers_13 = c.offers_13});
    SSL_CTX_set_min_proto_version(world.client_context.get(), c.client);
    SSL_CTX_set_max_proto_version(world.client_context.get(), c.client);
    CHECK(world.Handshake() == c.works);
    CHECK(world.stream.is_established() == c.works);
    if (c.works) CHECK(SSL_version(world.client.get()) == c.client);
    CHECK(ERR_peek_error() == 0);  // nothing is left for the next connection
  }
}

TEST_CASE("TLS 1.2 has ECDHE with AEAD and nothing else") {
  for (const char* suites : {"ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256", "AES256-SHA"}) {
    TlsWorld world;
    SSL_CTX_set_max_proto_version(world.client_context.get(), TLS1_2_VERSION);
    REQUIRE(SSL_CTX_set_cipher_list(world.client_context.get(), suites) == 1);
    CHECK_FALSE(world.Handshake());
  }
  TlsWorld world;
  SSL_CTX_set_max_proto_version(world.client_context.get(), TLS1_2_VERSION);
  REQUIRE(SSL_CTX_set_cipher_list(world.client_context.get(), "ECDHE-ECDSA-CHACHA20-POLY1305"));
  CHECK(world.Handshake());
}

TEST_CASE("7443_3 ALPN: stun.turn, stun.nat-discovery, none, or somebody else's") {
  struct Case {
    std::string offered;
    std::string selected;
  };
  for (const Case& c :
       {Case{"\x09stun.turn", "stun.turn"}, Case{"\x12stun.nat-discovery", "stun.nat-discovery"},
        Case{"\x02h2\x12stun.nat-discovery\x09stun.turn", "stun.turn"}, Case{"\x08http/1.1", ""}}) {
    CAPTURE(c.offered);
    TlsWorld world;
    Offer(world, c.offered);
    CHECK(world.Handshake());
    CHECK(Protocol(world) == c.selected);
  }
  TlsWorld world;
  CHECK(world.Handshake());
}

TEST_CASE("messages of every size cross both ways, whole and in order") {
  TlsWorld world;
  REQUIRE(world.Handshake());
  std::string sent = "x";
  REQUIRE(world.stream.Send(AsBytes("x")));  // session tickets leave with it
  REQUIRE(SSL_write(world.client.get(), "x", 1) == 1);
  for (const size_t size :
       {size_t{1}, size_t{20}, size_t{1200}, size_t{16384}, size_t{16385}, size_t{65558}}) {
    const std::string message(size, static_cast<char>('a' + size % 26));
    const uint64_t before = world.queue.written() + world.queue.size();
    REQUIRE(world.stream.Send(AsBytes(message)));
    const uint64_t wire = world.queue.written() + world.queue.size() - before;
    CHECK(wire > size);
    CHECK(wire <= TlsStream::SizeOnWire(size));
    REQUIRE(SSL_write(world.client.get(), message.data(), static_cast<int>(size)) ==
            static_cast<int>(size));
    sent += message;
  }
  CHECK(world.ToServer() == TlsStream::Status::kOk);
  CHECK(world.at_server == sent);
  world.ToClient();
  CHECK(world.at_client == sent);
}

TEST_CASE("a message is through when the last byte of its last record is") {
  TlsWorld world;
  REQUIRE(world.Handshake());
  const std::string payload(20'000, 'x');
  const Forward forward = ForwardOf(LinkId(1), payload);
  REQUIRE(world.stream.Send(AsBytes(MessageOf(payload))));
  world.queue.EndForward(forward);
  const size_t wire = world.queue.size();
  world.sink.limit = wire - 1;
  world.queue.Flush();
  CHECK(world.reports.reports.empty());
  world.sink.limit = wire;
  world.queue.Resume();
  CHECK(world.reports.reports.size() == 1);
}

TEST_CASE("ciphertext may come byte by byte") {
  TlsWorld world;
  REQUIRE(world.Handshake());
  SSL_write(world.client.get(), "hello", 5);
  std::array<char, 4096> wire;
  const int size = BIO_read(SSL_get_wbio(world.client.get()), wire.data(), wire.size());
  std::vector<uint8_t> plaintext(20'000);
  for (int i = 0; i < size; ++i) {
    const auto got = world.stream.Receive(AsBytes({&wire[static_cast<size_t>(i)], 1}), plaintext);
    CHECK(got.status == TlsStream::Status::kOk);
    CHECK(got.size == (i + 1 == size ? 5 : 0));
  }
}

TEST_CASE("garbage, a forged record and close_notify end the connection") {
  std::vector<uint8_t> plaintext(40'000);
  {
    TlsWorld world;
    const auto got =
        world.stream.Receive(AsBytes(std::string("\x16\x03\x01\x00\x05hello", 10)), plaintext);
    CHECK(got.status == TlsStream::Status::kFailed);
    CHECK_FALSE(world.stream.Send(AsBytes("x")));
  }
  {
    TlsWorld world;
    REQUIRE(world.Handshake());
    SSL_write(world.client.get(), "hello", 5);
    std::string wire(4096, '\0');
    const int size = BIO_read(SSL_get_wbio(world.client.get()), wire.data(), 4096);
    wire.resize(static_cast<size_t>(size));
    wire.back() = static_cast<char>(wire.back() ^ 1);
    const auto got = world.stream.Receive(AsBytes(wire), plaintext);
    CHECK(got.status == TlsStream::Status::kFailed);
    CHECK(got.size == 0);
    CHECK(ERR_peek_error() == 0);
  }
  {
    TlsWorld world;
    REQUIRE(world.Handshake());
    SSL_write(world.client.get(), "last", 4);
    SSL_shutdown(world.client.get());
    CHECK(world.ToServer() == TlsStream::Status::kClosed);
    CHECK(world.at_server == "last");
    world.stream.Shutdown();
    world.ToClient();
    CHECK((SSL_get_shutdown(world.client.get()) & SSL_RECEIVED_SHUTDOWN) != 0);
  }
}

}  // namespace turnpike
