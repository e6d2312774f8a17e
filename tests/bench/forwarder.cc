// The bare forwarder: what moving bytes alone costs, under the strategy of server/io (readiness by
// uv_poll, batches by recvmmsg and sendmmsg, runs by GSO and GRO, one socket per relayed address,
// sends at the end of a loop turn). It is the floor that tests/bench/compare holds turnpiked
// against.
//
// It speaks as much TURN as a client needs to come to a bound channel over UDP and IPv4, and grants
// everything to everybody: no quotas, no permissions, no expiry, nothing is counted. Loopback only.
#include <arpa/inet.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/check.h"
#include "common/stun/message.h"
#include "server/io/uv.h"
#include "tests/bench/forwarder_io.h"

namespace turnpike::bench {
namespace {

using enum stun::AttributeType;

constexpr std::string_view kRealmText = "turnpike.example";

uint64_t KeyOf(const sockaddr_in& address) {
  return uint64_t{address.sin_addr.s_addr} << 16 | address.sin_port;
}

TransportAddress FromSockaddr(const sockaddr_in& address) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&address.sin_addr);
  return {IpAddress::V4(std::span<const uint8_t, 4>(bytes, 4)), ntohs(address.sin_port)};
}

class Forwarder;

// Session is one client: its relay socket, and the one channel that leads from it to its peer.
struct Session {
  void OnReadable();

  Forwarder* owner = nullptr;
  Socket relay;
  sockaddr_in client{};
  sockaddr_in peer{};
  uint16_t channel = 0;  // network order; 0: not bound
  std::unique_ptr<UvPoll> poll;
};

class Forwarder {
 public:
  Forwarder(uint16_t port, std::string_view username, std::string_view password)
      : key_(stun::LongTermKeyMd5(username, kRealmText, password)),
        turn_end_(UvCheck::Each<&Forwarder::OnTurnEnd>(loop_.get(), this)) {
    listener_.fd = OpenSocket(port, 4 << 20);
    auto poll = UvPoll::Watch(loop_.get(), listener_.fd, this);
    TP_CHECK(poll.has_value());
    poll_ = std::make_unique<UvPoll>(std::move(*poll));
  }

  // Run serves until the process is ended.
  void Run() { uv_run(loop_.get(), UV_RUN_DEFAULT); }

  void OnReadable() {
    for (int i = 0; i < 4; ++i) {
      const bool more = receiver_.Receive(
          listener_.fd, [this](const sockaddr_in& from, ByteSpan bytes) { OnClient(from, bytes); });
      OnBatchEnd();
      if (!more) return;
    }
  }

  void OnPeerReadable(Session& session) {
    receiver_.Receive(session.relay.fd, [&](const sockaddr_in& from, ByteSpan bytes) {
      if (KeyOf(from) != KeyOf(session.peer)) return;
      const uint32_t length = htons(static_cast<uint16_t>(bytes.size()));
      queue_.Add(listener_, session.client, length << 16 | session.channel, bytes);
    });
    OnBatchEnd();
  }

 private:
  void OnBatchEnd() {
    if (receiver_.has_room()) return;
    queue_.Flush();
    receiver_.Reset();
  }

  void OnTurnEnd() {
    queue_.Flush();
    receiver_.Reset();
  }

  void OnClient(const sockaddr_in& from, ByteSpan bytes) {
    if (bytes.size() < stun::kChannelHeaderSize) return;
    if (stun::KindOf(bytes[0]) != stun::MessageKind::kChannelData) {
      OnStun(from, bytes);
      return;
    }
    const auto found = sessions_.find(KeyOf(from));
    if (found == sessions_.end()) return;
    Session& session = *found->second;
    const size_t length = LoadU16(bytes, 2);
    if (session.channel != htons(LoadU16(bytes, 0)) || bytes.size() - 4 < length) return;
    queue_.Add(session.relay, session.peer, 0, bytes.subspan(4, length));
  }

  void OnStun(const sockaddr_in& from, ByteSpan bytes) {
    const auto message = stun::MessageView::Parse(bytes);
    if (!message || message->message_class() != stun::Class::kRequest) return;
    std::array<uint8_t, stun::MessageBuilder::kMaxMessageSize> buffer;
    if (!message->has_integrity()) {
      stun::MessageBuilder builder(buffer, stun::Class::kErrorResponse, message->method(),
                                   message->transaction_id());
      builder.AddErrorCode(401);
      builder.AddText(kRealm, kRealmText);
      builder.AddText(kNonce, "nonce");
      Reply(from, builder.FinishUnauthenticated(false));
      return;
    }
    stun::MessageBuilder builder(buffer, stun::Class::kSuccessResponse, message->method(),
                                 message->transaction_id());
    Grant(from, *message, builder);
    Reply(from, builder.FinishWithIntegrity(stun::IntegrityKind::kSha1, key_, false));
  }

  // Grant does what `request` asks and writes the attributes of its answer.
  void Grant(const sockaddr_in& from, const stun::MessageView& request,
             stun::MessageBuilder& builder) {
    if (request.method() == stun::Method::kAllocate) {
      Session& session = Open(from);
      sockaddr_in relayed{};
      socklen_t size = sizeof(relayed);
      getsockname(session.relay.fd, reinterpret_cast<sockaddr*>(&relayed), &size);
      builder.AddXorAddress(kXorRelayedAddress, FromSockaddr(relayed));
      builder.AddXorAddress(kXorMappedAddress, FromSockaddr(from));
      builder.AddU32(kLifetime, 3600);
    } else if (request.method() == stun::Method::kRefresh) {
      const auto lifetime = request.Find(kLifetime);
      const uint32_t seconds = lifetime ? stun::DecodeU32(*lifetime).value_or(3600) : 3600;
      if (seconds == 0) Close(from);
      builder.AddU32(kLifetime, seconds);
    } else if (request.method() == stun::Method::kChannelBind) {
      Bind(from, request);
    }
  }

  Session& Open(const sockaddr_in& from) {
    auto& place = sessions_[KeyOf(from)];
    if (place != nullptr) return *place;
    place = std::make_unique<Session>();
    place->owner = this;
    place->client = from;
    place->relay.fd = OpenSocket(0, 512 << 10);
    auto poll = UvPoll::Watch(loop_.get(), place->relay.fd, place.get());
    TP_CHECK(poll.has_value());
    place->poll = std::make_unique<UvPoll>(std::move(*poll));
    return *place;
  }

  void Close(const sockaddr_in& from) {
    queue_.Flush();
    const auto found = sessions_.find(KeyOf(from));
    if (found == sessions_.end()) return;
    const int fd = found->second->relay.fd;
    sessions_.erase(found);
    close(fd);
  }

  void Bind(const sockaddr_in& from, const stun::MessageView& request) {
    const auto found = sessions_.find(KeyOf(from));
    const auto number = request.Find(kChannelNumber);
    const auto address = request.Find(kXorPeerAddress);
    if (found == sessions_.end() || !number || number->size() < 2 || !address) return;
    const auto peer = stun::DecodeXorAddress(*address, request.transaction_id());
    if (!peer || !peer->ip.is_v4()) return;
    Session& session = *found->second;
    session.channel = htons(LoadU16(*number, 0));
    session.peer.sin_family = AF_INET;
    session.peer.sin_port = htons(peer->port);
    std::memcpy(&session.peer.sin_addr, peer->ip.bytes().data(), sizeof(session.peer.sin_addr));
  }

  void Reply(const sockaddr_in& to, ByteSpan message) {
    sendto(listener_.fd, message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&to),
           sizeof(to));
  }

  const std::array<uint8_t, 16> key_;
  UvLoop loop_;
  Socket listener_;
  Receiver receiver_;
  SendQueue queue_;
  std::unordered_map<uint64_t, std::unique_ptr<Session>> sessions_;  // by client
  std::unique_ptr<UvPoll> poll_;
  UvCheck turn_end_;
};

void Session::OnReadable() { owner->OnPeerReadable(*this); }

}  // namespace
}  // namespace turnpike::bench

int main(int argc, char** argv) {
  const std::string_view port_text = argc == 4 ? argv[1] : "";
  uint16_t port = 0;
  const auto parsed = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (argc != 4 || parsed.ec != std::errc{} || parsed.ptr != port_text.end() || port == 0) {
    std::fprintf(stderr, "usage: forwarder PORT USERNAME PASSWORD\n");
    return 2;
  }
  turnpike::bench::Forwarder(port, argv[2], argv[3]).Run();
}
