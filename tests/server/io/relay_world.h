// Two workers, as one process has them, on one loop that the test turns; and clients of theirs that
// relay TCP (RFC 6062).
#pragma once

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/stun/message.h"
#include "common/stun/stream_framer.h"
#include "server/io/connection_limits.h"
#include "server/io/handover_board.h"
#include "server/io/tls_context.h"
#include "tests/server/io/io_world.h"
#include "tests/server/io/test_stream.h"

namespace turnpike {

// RawClient speaks STUN on a connection, and then whatever comes; with TLS where it is asked to.
class RawClient {
 public:
  using Fill = std::function<void(stun::MessageBuilder&)>;

  explicit RawClient(const TransportAddress& server, bool tls = false) : stream_(server) {
    if (!tls) return;
    ssl_.reset(SSL_new(context_.get()));
    fcntl(stream_.fd(), F_SETFL, O_NONBLOCK);
    SSL_set_fd(ssl_.get(), stream_.fd());
    SSL_set_connect_state(ssl_.get());
  }

  TestStream& stream() { return stream_; }
  bool Connected() { return ssl_ == nullptr || SSL_do_handshake(ssl_.get()) == 1; }

  void Write(std::string_view bytes) {
    if (ssl_ == nullptr) {
      REQUIRE(stream_.Send(bytes));
    } else {
      REQUIRE(SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) ==
              static_cast<int>(bytes.size()));
    }
  }

  // Read returns all that has come and was not taken.
  const std::string& Read() {
    if (ssl_ == nullptr) {
      in_ += stream_.TryReceive();
      return in_;
    }
    std::array<char, 20'000> buffer;
    while (true) {
      const int got = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
      if (got <= 0) return in_;
      in_.append(buffer.data(), static_cast<size_t>(got));
    }
  }

  // HasEnded says whether the server said close_notify.
  bool HasEnded() {
    Read();
    return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }

  // Build makes a request as alice; without a nonce it has no credentials.
  std::string Build(stun::Method method, const Fill& fill) {
    std::array<uint8_t, stun::MessageBuilder::kMaxMessageSize> buffer;
    stun::TransactionId id{};
    id[0] = ++last_id_;
    stun::MessageBuilder builder(buffer, stun::Class::kRequest, method, id);
    fill(builder);
    if (nonce.empty()) return std::string(AsText(builder.FinishUnauthenticated(false)));
    builder.AddText(stun::AttributeType::kUsername, "alice");
    builder.AddText(stun::AttributeType::kRealm, "test");
    builder.AddText(stun::AttributeType::kNonce, nonce);
    const auto key = stun::LongTermKeyMd5("alice", "test", "pw");
    return std::string(AsText(builder.FinishWithIntegrity(stun::IntegrityKind::kSha1, key, false)));
  }

  // TakeMessage returns the next whole message, empty when there is none.
  std::string TakeMessage() {
    const auto frame = stun::NextFrame(AsBytes(Read()));
    if (!frame || !*frame) return {};
    std::string message(AsText((*frame)->message));
    in_.erase(0, (*frame)->consumed);
    return message;
  }

  std::string nonce;

 private:
  bssl::UniquePtr<SSL_CTX> context_{SSL_CTX_new(TLS_method())};
  TestStream stream_;
  bssl::UniquePtr<SSL> ssl_;
  std::string in_;
  uint8_t last_id_ = 0;
};

struct RelayWorld {
  struct Worker {
    Worker(RelayWorld& world, uv_loop_t* loop)
        : core(TestTurnOptions(), NonceSecret{}, world.ports, world.random),
          driver(std::make_unique<Driver>(loop, core, *world.slots, world.Options())),
          listener(*driver->ListenStream(
              {.address = Address("127.0.0.1:0"), .plain = true, .tls = true})) {}

    TurnServer core;
    std::unique_ptr<Driver> driver;
    TransportAddress listener;
  };

  StreamOptions Options() {
    StreamOptions options;
    options.limits = &limits;
    options.tls = tls;
    options.handovers = &board;
    return options;
  }

  template <typename Predicate>
  bool Until(Predicate done) {
    return LoopUntil(loop.get(), done);
  }

  std::string Answer(RawClient& client) {
    std::string message;
    REQUIRE(Until([&] { return !(message = client.TakeMessage()).empty(); }));
    return message;
  }

  // Ask returns the answer to a request; Code its error code, 0 for none.
  std::string Ask(RawClient& client, stun::Method method, const RawClient::Fill& fill) {
    client.Write(client.Build(method, fill));
    return Answer(client);
  }
  static int Code(const std::string& message) {
    const auto view = stun::MessageView::Parse(AsBytes(message));
    REQUIRE(view);
    const auto value = view->Find(stun::AttributeType::kErrorCode);
    return value ? stun::DecodeErrorCode(*value)->code : 0;
  }
  static uint32_t ConnectionIn(const std::string& message) {
    const auto view = stun::MessageView::Parse(AsBytes(message));
    REQUIRE(view);
    const auto value = view->Find(stun::AttributeType::kConnectionId);
    REQUIRE(value);
    return *stun::DecodeU32(*value);
  }

  // Allocate brings `control` to a TCP allocation and returns its relayed address.
  TransportAddress Allocate(RawClient& client) {
    REQUIRE(Until([&] { return client.Connected(); }));
    const auto fill = [](stun::MessageBuilder& builder) {
      builder.AddU32(stun::AttributeType::kRequestedTransport, 6u << 24);
    };
    const std::string challenge = Ask(client, stun::Method::kAllocate, fill);
    const auto asked = stun::MessageView::Parse(AsBytes(challenge));
    client.nonce = AsText(*asked->Find(stun::AttributeType::kNonce));
    const std::string granted = Ask(client, stun::Method::kAllocate, fill);
    REQUIRE(Code(granted) == 0);
    const auto view = stun::MessageView::Parse(AsBytes(granted));
    return *stun::DecodeXorAddress(*view->Find(stun::AttributeType::kXorRelayedAddress),
                                   view->transaction_id());
  }

  static RawClient::Fill PeerIs(const TransportAddress& peer) {
    return [peer](stun::MessageBuilder& builder) {
      builder.AddXorAddress(stun::AttributeType::kXorPeerAddress, peer);
    };
  }
  static RawClient::Fill ConnectionIs(uint32_t id) {
    return [id](stun::MessageBuilder& builder) {
      builder.AddU32(stun::AttributeType::kConnectionId, id);
    };
  }

  SlotSnapshot Slot() { return slots->Read(slots->UsedSlots()[0]); }
  UsageTotals Totals() { return Slot().totals; }

  TestDirectory directory;
  std::unique_ptr<SlotFile> slots =
      *SlotFile::Open(directory.path() + "/live.slots", 1024, {"n", "r", "e", {}});
  SystemRandom random;
  std::shared_ptr<const TlsContext> tls =
      *TlsContext::Make({}, WallTime(std::chrono::seconds(1'800'000'000)));
  ConnectionLimits limits{100, 100};
  Directory ports{{*IpAddress::Parse("127.0.0.1"), *IpAddress::Parse("::1")}, 31000, 31999};
  HandoverBoard board;
  UvLoop loop;
  Worker first{*this, loop.get()};
  Worker second{*this, loop.get()};
};

// DataCall is a client of the first worker with a connection to `peer`, and its client's end, which
// came by the first worker or the second.
struct DataCall : RelayWorld {
  explicit DataCall(bool by_second = false, bool with_tls = false)
      : listener(Address("127.0.0.1:0")),
        control(first.listener, with_tls),
        data((by_second ? second : first).listener, with_tls) {
    relayed = Allocate(control);
    const std::string answer = Ask(control, stun::Method::kConnect, PeerIs(listener.address()));
    REQUIRE(Code(answer) == 0);
    id = ConnectionIn(answer);
    peer = std::make_unique<TestStream>(listener.TryAccept());
    REQUIRE(peer->connected());
    REQUIRE(Until([&] { return data.Connected(); }));
    data.nonce = control.nonce;
  }

  // Bind makes `data` the client's end.
  void Bind() { REQUIRE(Code(Ask(data, stun::Method::kConnectionBind, ConnectionIs(id))) == 0); }

  // PeerGets says whether the peer gets exactly `bytes`.
  bool PeerGets(const std::string& bytes) {
    std::string got;
    return Until([&] { return (got += peer->TryReceive()).size() >= bytes.size(); }) &&
           got == bytes;
  }

  size_t Connections() const {
    const auto& open = first.driver->stats().streams.connections;
    const auto& others = second.driver->stats().streams.connections;
    return open[1].Get() + open[2].Get() + others[1].Get() + others[2].Get();
  }

  TestListener listener;
  RawClient control;
  RawClient data;
  TransportAddress relayed;
  uint32_t id = 0;
  std::unique_ptr<TestStream> peer;
};

}  // namespace turnpike
