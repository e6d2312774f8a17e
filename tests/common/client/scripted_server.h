// A server of a few lines for tests of the TURN client: it answers by hand what a test tells it to.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "common/client/turn_client.h"
#include "tests/support/seeded_random.h"

namespace turnpike::scripted {

using Bytes = std::vector<uint8_t>;

inline constexpr std::string_view kTestRealm = "turnpike.example";
inline constexpr std::string_view kUser = "alice";
inline constexpr std::string_view kPassword = "s3cret";

inline TransportAddress Address(std::string_view text) {
  return TransportAddress::Parse(text).value();
}
inline PeerAddress Peer(std::string_view text) { return PeerAddress(Address(text)); }

// Request is one message that the client sent, parsed.
struct Request {
  Bytes bytes;
  stun::MessageView view;

  explicit Request(Bytes message)
      : bytes(std::move(message)), view(stun::MessageView::Parse(bytes).value()) {}
  Request(Request&&) = default;  // a moved vector keeps its bytes where the view looks

  std::optional<uint32_t> U32(stun::AttributeType type) const {
    const auto value = view.Find(type);
    return value ? stun::DecodeU32(*value) : std::nullopt;
  }
  std::string Text(stun::AttributeType type) const {
    const auto value = view.Find(type);
    return value ? std::string(AsText(*value)) : "(absent)";
  }
  TransportAddress PeerAddressIn() const {
    return stun::DecodeXorAddress(view.Find(stun::AttributeType::kXorPeerAddress).value(),
                                  view.transaction_id())
        .value();
  }
};

// Reply builds the response to a request.
class Reply {
 public:
  Reply(const Request& request, stun::Class message_class)
      : builder_(buffer_, message_class, request.view.method(), request.view.transaction_id()) {}
  Reply(const Reply&) = delete;

  stun::MessageBuilder* operator->() { return &builder_; }

  Bytes Unprotected() { return Copy(builder_.FinishUnauthenticated(false)); }
  Bytes Protected(std::string_view password = kPassword) {
    const auto key = stun::LongTermKeyMd5(kUser, kTestRealm, password);
    return Copy(builder_.FinishWithIntegrity(stun::IntegrityKind::kSha1, key, false));
  }
  Bytes ProtectedSha256() {
    const auto key = stun::LongTermKeySha256(kUser, kTestRealm, kPassword);
    return Copy(builder_.FinishWithIntegrity(stun::IntegrityKind::kSha256, key, false));
  }

 private:
  static Bytes Copy(ByteSpan bytes) { return {bytes.begin(), bytes.end()}; }

  std::array<uint8_t, stun::MessageBuilder::kMaxMessageSize> buffer_;
  stun::MessageBuilder builder_;
};

inline Bytes Challenge(const Request& request, uint16_t code, std::string_view nonce) {
  Reply reply(request, stun::Class::kErrorResponse);
  reply->AddErrorCode(code);
  reply->AddText(stun::AttributeType::kRealm, kTestRealm);
  reply->AddText(stun::AttributeType::kNonce, nonce);
  return reply.Unprotected();
}

inline Bytes Error(const Request& request, uint16_t code) {
  Reply reply(request, stun::Class::kErrorResponse);
  reply->AddErrorCode(code);
  return reply.Protected();
}

inline Bytes Success(const Request& request) {
  return Reply(request, stun::Class::kSuccessResponse).Protected();
}

inline void AddGrant(Reply& reply, uint32_t lifetime) {
  reply->AddXorAddress(stun::AttributeType::kXorRelayedAddress, Address("203.0.113.7:50000"));
  reply->AddXorAddress(stun::AttributeType::kXorMappedAddress, Address("198.51.100.1:4000"));
  reply->AddU32(stun::AttributeType::kLifetime, lifetime);
}

inline Bytes Grant(const Request& request, uint32_t lifetime = 600) {
  Reply reply(request, stun::Class::kSuccessResponse);
  AddGrant(reply, lifetime);
  return reply.Protected();
}

inline TurnClientOptions Options() {
  TurnClientOptions options;
  options.username = kUser;
  options.password = kPassword;
  return options;
}

// Conversation drives one client; `now` moves only when a test says so.
class Conversation {
 public:
  explicit Conversation(TurnClientOptions options = Options())
      : random_(5769), client_(std::move(options), random_) {}

  TurnClient& client() { return client_; }
  MonoTime now() const { return now_; }

  // Sent returns the one message that the client wants to send; NothingSent says there is none.
  Request Sent() {
    auto message = client_.PollTransmit();
    REQUIRE(message);
    CHECK_FALSE(client_.PollTransmit());
    return Request(std::move(*message));
  }
  bool NothingSent() { return !client_.PollTransmit(); }

  std::optional<ReceivedData> Receive(const Bytes& bytes) {
    last_ = bytes;
    return client_.OnServerMessage(last_, now_);
  }

  // Event returns the one event that is out, which must be an `E`; Quiet says there is none.
  template <typename E>
  E Event() {
    const auto event = client_.PollEvent();
    REQUIRE(event);
    REQUIRE(std::holds_alternative<E>(*event));
    CHECK_FALSE(client_.PollEvent());
    return std::get<E>(*event);
  }
  bool Quiet() { return !client_.PollEvent(); }

  // Wait moves the clock and runs the timers once, as a driver would that was late.
  void Wait(Duration duration) {
    now_ += duration;
    client_.OnTimer(now_);
  }

  // WaitForDeadline moves the clock to the next deadline, runs the timers, and returns the time
  // since `start`.
  Duration WaitForDeadline(MonoTime start) {
    now_ = client_.NextDeadline().value();
    client_.OnTimer(now_);
    return now_ - start;
  }

  // Allocate goes through challenge and grant.
  void Allocate(uint32_t lifetime = 600) {
    client_.Allocate(now_);
    Receive(Challenge(Sent(), 401, "nonce-1"));
    Receive(Grant(Sent(), lifetime));
    Event<Allocated>();
  }

  void Permit(const char* ip) {
    client_.InstallPermission(IpAddress::Parse(ip).value(), now_);
    Receive(Success(Sent()));
    Event<PermissionInstalled>();
  }

  stun::ChannelNumber Bind(const char* peer) {
    const auto channel = client_.BindChannel(Peer(peer), now_);
    Receive(Success(Sent()));
    Event<ChannelBound>();
    return channel.value();
  }

 private:
  SeededRandom random_;
  TurnClient client_;
  MonoTime now_{};
  Bytes last_;  // what a returned payload views
};

}  // namespace turnpike::scripted
