#include "tests/bench/core_stage.h"

#include <string>
#include <utility>

#include "common/base/check.h"

namespace turnpike::bench {
namespace {

constexpr uint32_t kMaxSlots = 16384;

IpAddress Ip(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  const std::array<uint8_t, 4> bytes = {a, b, c, d};
  return IpAddress::V4(bytes);
}

TurnOptions Options(const LimitOptions& limits) {
  TurnOptions options;
  options.limits = limits;
  options.realm = "turnpike.example";
  options.software = "Turnpike";
  options.relay_addresses = {{.bind = Ip(5, 5, 5, 5), .advertise = Ip(5, 5, 5, 5)}};
  const std::vector<Credentials::User> users = {
      {.username = "alice", .password = "s3cret", .account = "acme", .label = "web"}};
  options.credentials =
      std::make_shared<const Credentials>(options.realm, users, std::vector<std::string>{});
  options.peer_filter = std::make_shared<const PeerFilter>(PeerFilter::Options{});
  return options;
}

}  // namespace

CoreStage::CoreStage(const LimitOptions& limits)
    : now_{.mono = MonoTime(std::chrono::hours(100)),
           .wall = WallTime(std::chrono::seconds(1'795'208'400))} {
  auto slots = SlotFile::Open(directory_of_slots_.file("live.slots"), kMaxSlots,
                              {.node = "bench", .region = "here", .edge = "", .boot = {}});
  TP_CHECK(slots.has_value());
  slots_ = std::move(*slots);
  directory_ = std::make_unique<Directory>(std::vector{Ip(5, 5, 5, 5)}, 10000, 60000);
  NonceSecret secret;
  random_.Fill(secret);
  core_ = std::make_unique<TurnServer>(Options(limits), secret, *directory_, random_);
}

Client CoreStage::ClientOf(uint32_t number) {
  constexpr uint32_t kPorts = 60000;
  const TransportAddress client{Ip(7, 7, 7, static_cast<uint8_t>(number / kPorts)),
                                static_cast<uint16_t>(1024 + number % kPorts)};
  return {.five_tuple = {client, {Ip(5, 5, 5, 1), 3478}, Transport::kUdp}, .link = LinkId(0)};
}

TurnClientOptions CoreStage::ClientOptions() const {
  TurnClientOptions options;
  options.username = "alice";
  options.password = "s3cret";
  options.lifetime = std::chrono::seconds(3600);
  return options;
}

void CoreStage::AddSessions(size_t count, std::optional<Wrapping> wrapping) {
  sessions_.reserve(sessions_.size() + count);
  for (size_t i = 0; i < count; ++i) {
    const auto number = static_cast<uint32_t>(sessions_.size());
    Session session{.client = ClientOf(number), .relay = {}, .peer = {}};
    session.peer = PeerAddress(
        {Ip(9, 9, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)), 4000});
    TurnClient client(ClientOptions(), random_);
    client.Allocate(now_.mono);
    Settle(client, session.client);
    TP_CHECK(client.state() == TurnClient::State::kAllocated);
    session.relay = last_relay_;
    if (wrapping == Wrapping::kChannel) client.BindChannel(session.peer, now_.mono);
    if (wrapping == Wrapping::kSend) client.InstallPermission(session.peer.value().ip, now_.mono);
    Settle(client, session.client);
    sessions_.push_back(session);
  }
}

Exchange CoreStage::Record(uint32_t number) {
  Exchange exchange{
      .client = ClientOf(number), .unauthenticated = {}, .allocate = {}, .release = {}};
  TurnClient client(ClientOptions(), random_);
  std::vector<Bytes> sent;
  client.Allocate(now_.mono);
  Settle(client, exchange.client, &sent);
  client.Release(now_.mono);
  Settle(client, exchange.client, &sent);
  TP_CHECK(sent.size() == 3 && client.state() == TurnClient::State::kDone);
  exchange.unauthenticated = sent[0];
  exchange.allocate = sent[1];
  exchange.release = sent[2];
  return exchange;
}

void CoreStage::Settle(TurnClient& from, const Client& client, std::vector<Bytes>* sent) {
  while (auto message = from.PollTransmit()) {
    if (sent != nullptr) sent->push_back(*message);
    answers_.clear();
    FromClient(client, *message);
    for (const Bytes& answer : answers_) from.OnServerMessage(answer, now_.mono);
  }
  answers_.clear();
}

void CoreStage::Execute(Output output) {
  if (auto* const send = std::get_if<SendMessage>(&output)) {
    answers_.clear();
    answers_.push_back(std::move(send->bytes));
  } else if (const auto* const open = std::get_if<OpenRelay>(&output)) {
    last_relay_ = open->relay;
    const auto meter = slots_->Acquire(open->session);
    TP_CHECK(meter.has_value());
    core_->OnRelayOpened(open->relay, *meter, now_);
  } else if (const auto* const closed = std::get_if<AllocationClosed>(&output)) {
    // What the ledger thread would do later.
    slots_->Close(closed->slot, closed->reason, closed->ended_at);
    slots_->Free(closed->slot);
  }
}

Bytes CoreStage::Wrap(const Session& session, Wrapping wrapping, ByteSpan payload) {
  Bytes message;
  if (wrapping == Wrapping::kChannel) {
    const auto header =
        stun::ChannelDataHeader(stun::kFirstChannel, static_cast<uint16_t>(payload.size()));
    message.assign(header.begin(), header.end());
    message.insert(message.end(), payload.begin(), payload.end());
    return message;
  }
  message.resize(payload.size() + 100);
  stun::TransactionId id;
  random_.Fill(id);
  stun::MessageBuilder builder(message, stun::Class::kIndication, stun::Method::kSend, id);
  builder.AddXorAddress(stun::AttributeType::kXorPeerAddress, session.peer.value());
  builder.AddBytes(stun::AttributeType::kData, payload);
  message.resize(builder.FinishUnauthenticated(false).size());
  return message;
}

void CoreStage::Advance(Duration duration) {
  now_.mono += duration;
  now_.wall += std::chrono::round<std::chrono::microseconds>(duration);
  const auto next = core_->NextDeadline();
  if (!next || *next > now_.mono) return;
  core_->OnTimer(now_);
  Poll();
}

}  // namespace turnpike::bench
