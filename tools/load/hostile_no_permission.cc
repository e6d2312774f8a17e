#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "common/client/turn_client.h"
#include "tools/load/client_leg.h"
#include "tools/load/hostile_kinds.h"
#include "tools/load/socket.h"

namespace turnpike::load {
namespace {

constexpr uint32_t kFloodPayload = 160;

// Client has an allocation, and beside it a peer that it never asked a permission for.
class Client {
 public:
  explicit Client(HostileStage& stage)
      : stage_(stage),
        client_(Options(stage.plan()), stage.context().random),
        peer_sink_(*this),
        client_sink_(*this) {}

  // Open fails with a sentence.
  std::expected<void, std::string> Open() {
    const Plan& plan = stage_.plan();
    auto leg = ClientLeg::Open({Transport::kUdp, plan.servers[0], "", nullptr, nullptr});
    if (!leg) return std::unexpected(leg.error());
    leg_ = std::move(*leg);
    auto peer = OpenUdp(plan.peer_ip);
    if (!peer) return std::unexpected(peer.error());
    peer_fd_ = std::move(*peer);
    peer_ = PeerAddress(LocalAddress(peer_fd_));
    client_.Allocate(stage_.context().now);
    Pump();
    return {};
  }

  bool is_decided() const { return relayed_ || !failure_.empty(); }
  const std::string& failure() const { return failure_; }

  void Look() {
    ThreadContext& context = stage_.context();
    const auto ok =
        leg_->Receive(context.receiver, context.wall_to_mono, context.now, client_sink_);
    if (!ok) failure_ = ok.error();
    context.receiver.Receive(peer_fd_.get(), context.wall_to_mono, context.now, peer_sink_);
    if (const auto at = client_.NextDeadline(); at && *at <= context.now) {
      client_.OnTimer(context.now);
    }
    Pump();
  }

  void SendOut() {
    const auto head = client_.HeadFor(peer_, kFloodPayload);
    if (!head) return stage_.Did("Send indications that could not be made");
    std::vector<uint8_t> message(head->bytes().begin(), head->bytes().end());
    message.resize(message.size() + kFloodPayload + head->padding);
    leg_->SendControl(message);
    stage_.Did("Send indications to a peer without a permission");
  }

  void SendIn() {
    if (!relayed_) return;
    if (!is_connected_) is_connected_ = Connect(peer_fd_, *relayed_).has_value();
    const std::array<uint8_t, kFloodPayload> payload{};
    if (send(peer_fd_.get(), payload.data(), payload.size(), 0) < 0) {
      return stage_.Did("datagrams that the kernel refused to send");
    }
    stage_.Did("datagrams to a relayed address from a peer without a permission");
  }

  void Release() {
    client_.Release(stage_.context().now);
    Pump();
  }
  bool is_released() const { return client_.state() == TurnClient::State::kDone; }

 private:
  struct PeerSink final : MessageSink {
    explicit PeerSink(Client& the_client) : client(the_client) {}
    void OnMessage(ByteSpan, MonoTime) override {
      client.stage_.Answered("RELAYED a packet to a peer without a permission");
    }
    Client& client;
  };
  struct ClientSink final : MessageSink {
    explicit ClientSink(Client& the_client) : client(the_client) {}
    void OnMessage(ByteSpan bytes, MonoTime) override {
      const auto message = stun::MessageView::Parse(bytes);
      if (!message || message->message_class() == stun::Class::kIndication) {
        return client.stage_.Answered("RELAYED a packet from a peer without a permission");
      }
      static_cast<void>(client.client_.OnServerMessage(bytes, client.stage_.context().now));
    }
    Client& client;
  };

  static TurnClientOptions Options(const Plan& plan) {
    TurnClientOptions options;
    options.username = plan.username;
    options.password = plan.password;
    if (!plan.peer_ip.is_v4()) options.requested_family = AddressFamily::kIpv6;
    return options;
  }

  void Pump() {
    while (const auto message = client_.PollTransmit()) leg_->SendControl(*message);
    while (const auto event = client_.PollEvent()) {
      if (const auto* allocated = std::get_if<Allocated>(&*event)) {
        relayed_ = allocated->relayed.value();
      } else if (const auto* failed = std::get_if<Failed>(&*event)) {
        failure_ = "an allocation failed with " + std::to_string(failed->code);
      }
    }
  }

  HostileStage& stage_;
  std::unique_ptr<ClientLeg> leg_;
  UniqueFd peer_fd_;
  PeerAddress peer_;
  bool is_connected_ = false;
  TurnClient client_;
  PeerSink peer_sink_;
  ClientSink client_sink_;
  std::optional<TransportAddress> relayed_;
  std::string failure_;
};

}  // namespace

void FloodNoPermission(HostileStage& stage) {
  const Plan& plan = stage.plan();
  std::vector<std::unique_ptr<Client>> clients;
  for (uint32_t i = 0; i < plan.sessions; ++i) {
    clients.push_back(std::make_unique<Client>(stage));
    if (const auto ok = clients.back()->Open(); !ok) {
      return void(stage.result().error = ok.error());
    }
  }
  size_t looked = 0;
  const auto look = [&] {
    for (size_t i = 0; i < std::min(clients.size(), kLooksAtOnce); ++i) {
      clients[looked++ % clients.size()]->Look();
    }
  };
  const auto all = [&](bool (Client::*what)() const) {
    return std::ranges::all_of(clients, [&](const auto& client) { return (*client.*what)(); });
  };
  if (!stage.Poll(plan.patience, [&] { return all(&Client::is_decided); }, look)) {
    stage.result().error = "the server does not answer";
    return;
  }
  for (const auto& client : clients) {
    if (!client->failure().empty()) return void(stage.result().error = client->failure());
  }
  uint64_t next = 0;
  stage.Flood(
      [&] {
        Client& client = *clients[next / 2 % clients.size()];
        next++ % 2 == 0 ? client.SendOut() : client.SendIn();
      },
      look);
  stage.Poll(plan.settle, [] { return false; }, look);
  for (const auto& client : clients) client->Release();
  stage.Poll(plan.patience, [&] { return all(&Client::is_released); }, look);
}

}  // namespace turnpike::load
