#include "tests/support/core_world.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace turnpike {

TransportAddress Address(std::string_view text) {
  const auto address = TransportAddress::Parse(text);
  REQUIRE_MESSAGE(address.has_value(), std::string(text));
  return *address;
}

IpAddress Ip(std::string_view text) {
  const auto ip = IpAddress::Parse(text);
  REQUIRE_MESSAGE(ip.has_value(), std::string(text));
  return *ip;
}

SessionMeter MeterHeap::Open() {
  cells_.push_back(std::make_unique<Cell>());
  ++open_;
  Cell& cell = *cells_.back();
  return SessionMeter(&cell.live, &cell.ring, SlotId(static_cast<uint32_t>(cells_.size() - 1)));
}

void MeterHeap::Close(SlotId slot) {
  Cell& cell = *cells_.at(slot.value());
  REQUIRE(cell.open);
  cell.open = false;
  --open_;
}

UsageTotals MeterHeap::Totals(SlotId slot) const {
  Cell& cell = *cells_.at(slot.value());
  return SessionMeter(&cell.live, &cell.ring, slot).Totals();
}

uint64_t MeterHeap::Drops(SlotId slot, DropReason reason) const {
  return cells_.at(slot.value())->live.dropped_packets[static_cast<size_t>(reason)].load();
}

CoreWorld::Settings CoreWorld::DefaultSettings() {
  Settings settings;
  settings.options.realm = "turnpike.example";
  settings.users = {{.username = "alice", .password = "s3cret", .account = "acme", .label = "web"},
                    {.username = "bob", .password = "hunter2", .account = "", .label = ""}};
  settings.relay_addresses = {"5.5.5.5", "2600::5"};
  return settings;
}

CoreWorld::CoreWorld(Settings settings)
    : settings_(std::move(settings)),
      random_(settings_.seed),
      now_{.mono = MonoTime(std::chrono::hours(100)),
           .wall = WallTime(std::chrono::seconds(1'795'208'400))} {  // 2026-11-20T21:00:00Z
  BuildOptions();
  std::vector<IpAddress> binds;
  for (const RelayAddress& address : settings_.options.relay_addresses) {
    binds.push_back(address.bind);
  }
  directory_ = std::make_unique<Directory>(binds, settings_.min_port, settings_.max_port);
  random_.Fill(nonce_secret_);
  server_ = std::make_unique<TurnServer>(settings_.options, nonce_secret_, *directory_, random_);
}

CoreWorld::~CoreWorld() {
  // What a test did not expect fails it, and so does a port or slot that nobody gives back.
  CHECK(log_.empty());
  for (const std::string& line : log_) MESSAGE("left over: " << line);
  CHECK(mailbox_.empty());
  CHECK(held_.empty());
  CHECK(server_->IsConsistent());
  CHECK(directory_->IsConsistent());
  server_->CloseAll(CloseReason::kDrained, now_);
  Poll();
  now_.mono += kReservationLifetime;
  server_->OnTimer(now_);
  CHECK(server_->allocation_count() == 0);
  CHECK(directory_->ports_in_use() == 0);
  CHECK(directory_->offers() == 0);
  CHECK(server_->stats().peer_connections.Get() == 0);
  CHECK(meters_.open_count() == 0);
  CHECK(!server_->NextDeadline());
}

void CoreWorld::BuildOptions() {
  TurnOptions& options = settings_.options;
  PeerFilter::Options filter;
  options.relay_addresses.clear();
  for (const std::string& text : settings_.relay_addresses) {
    const size_t equals = text.find('=');
    const IpAddress bind = Ip(std::string_view(text).substr(0, equals));
    const IpAddress advertise =
        equals == std::string::npos ? bind : Ip(std::string_view(text).substr(equals + 1));
    options.relay_addresses.push_back({.bind = bind, .advertise = advertise});
    filter.relay_addresses.push_back(bind);
    filter.relay_addresses.push_back(advertise);
  }
  filter.min_relay_port = settings_.min_port;
  filter.max_relay_port = settings_.max_port;
  filter.listeners = {Address("5.5.5.1:3478")};
  filter.local_addresses = filter.relay_addresses;
  for (const std::string& text : settings_.allow) filter.allow.Add(*IpRange::Parse(text));
  for (const std::string& text : settings_.deny) filter.deny.Add(*IpRange::Parse(text));
  options.peer_filter = std::make_shared<const PeerFilter>(std::move(filter));
  options.credentials =
      std::make_shared<const Credentials>(options.realm, settings_.users, settings_.secrets);
}

void CoreWorld::Reload() {
  BuildOptions();
  server_->SetOptions(settings_.options);
  Poll();
}

void CoreWorld::Advance(Duration duration) {
  const MonoTime end = now_.mono + duration;
  const WallTime wall_end = now_.wall + std::chrono::round<std::chrono::microseconds>(duration);
  for (auto next = server_->NextDeadline(); next && *next <= end; next = server_->NextDeadline()) {
    const Duration step = std::max(*next - now_.mono, Duration::zero());
    now_.mono += step;
    now_.wall += std::chrono::round<std::chrono::microseconds>(step);
    server_->OnTimer(now_);
    Poll();
    // A timer that is due has to make progress, or a driver would spin.
    const auto after = server_->NextDeadline();
    REQUIRE((!after || *after > now_.mono));
  }
  now_.mono = end;
  now_.wall = wall_end;
}

std::optional<Relayed> CoreWorld::FromClient(const Client& client, ByteSpan bytes) {
  auto relayed = Send(server_->OnClientDatagram(client, bytes, now_));
  Poll();
  return relayed;
}

std::optional<Relayed> CoreWorld::FromPeer(const std::string& relay, std::string_view peer,
                                           ByteSpan bytes) {
  auto relayed =
      Send(server_->OnPeerDatagram(relays_.at(relay).id, PeerAddress(Address(peer)), bytes, now_));
  Poll();
  return relayed;
}

std::optional<Relayed> CoreWorld::Send(std::optional<Forward> forward) {
  if (!forward) return std::nullopt;
  Relayed relayed{.direction = forward->direction,
                  .to = forward->to.ToString(),
                  .from = forward->direction == Direction::kClientToPeer ? NameOf(forward->relay)
                                                                         : forward->from.ToString(),
                  .message = {},
                  .payload = {forward->payload.begin(), forward->payload.end()},
                  .wire_bytes = forward->wire_bytes,
                  .dont_fragment = forward->dont_fragment};
  const ByteSpan header = forward->header_bytes();
  relayed.message.assign(header.begin(), header.end());
  relayed.message.insert(relayed.message.end(), forward->payload.begin(), forward->payload.end());
  relayed.message.resize(relayed.message.size() + forward->padding_size);
  if (hold_sends) {
    held_.push_back(*forward);
  } else {
    server_->OnSent(*forward, send_result, now_);
  }
  return relayed;
}

void CoreWorld::ReportHeld() {
  while (!held_.empty()) {
    const Forward forward = held_.front();
    held_.pop_front();
    server_->OnSent(forward, send_result, now_);
    Poll();
  }
}

void CoreWorld::Poll() {
  while (auto output = server_->PollOutput()) Execute(std::move(*output));
}

std::string CoreWorld::NameOf(RelayId id) {
  auto [found, added] = names_.try_emplace(id);
  if (added) found->second = "r" + std::to_string(names_.size());
  return found->second;
}

std::string CoreWorld::NameOf(PeerStreamId id) {
  auto [found, added] = stream_names_.try_emplace(id);
  if (added) found->second = "p" + std::to_string(stream_names_.size());
  return found->second;
}

PeerStreamId CoreWorld::StreamOf(const std::string& name) const {
  for (const auto& [id, known] : stream_names_) {
    if (known == name) return id;
  }
  FAIL("no such peer connection: ", name);
  return {};
}

void CoreWorld::Connected(const std::string& stream, bool connected) {
  server_->OnPeerConnected(StreamOf(stream), connected, now_);
  Poll();
}

std::optional<std::string> CoreWorld::Accept(const std::string& relay, std::string_view peer) {
  const auto id = server_->OnPeerAccepted(relays_.at(relay).id, PeerAddress(Address(peer)), now_);
  Poll();
  if (!id) return std::nullopt;
  return NameOf(*id);
}

void CoreWorld::Execute(Output output) {
  if (auto* send = std::get_if<SendMessage>(&output)) {
    mailbox_.push_back(std::move(*send));
  } else if (const auto* open = std::get_if<OpenRelay>(&output)) {
    log_.push_back("open " + NameOf(open->relay) + " " + open->bind.ip.ToString() +
                   (open->protocol == RelayProtocol::kTcp ? " tcp" : "") +
                   (open->needs_slot ? " slot" : ""));
    if (hold_opens) {
      held_opens_.push_back(*open);
    } else {
      Open(*open);
    }
  } else if (const auto* close = std::get_if<CloseRelay>(&output)) {
    const std::string name = NameOf(close->relay);
    REQUIRE(relays_.at(name).open);
    relays_.at(name).open = false;
    log_.push_back("close " + name);
  } else if (const auto* connect = std::get_if<ConnectPeer>(&output)) {
    log_.push_back("connect " + NameOf(connect->stream) + " " + connect->from.ip.ToString() +
                   " -> " + connect->to.ToString());
  } else if (const auto* gone = std::get_if<ClosePeer>(&output)) {
    log_.push_back("close " + NameOf(gone->stream));
  } else if (const auto* bound = std::get_if<BindPeer>(&output)) {
    log_.push_back("bind " + NameOf(bound->stream) + " to link " +
                   std::to_string(bound->link.value()) + " of core " +
                   std::to_string(bound->owner.value()));
  } else if (const auto* joined = std::get_if<ClientJoined>(&output)) {
    log_.push_back("joined " + joined->client.five_tuple.client.ToString());
  } else if (const auto* left = std::get_if<ClientLeft>(&output)) {
    log_.push_back("left " + left->client.five_tuple.client.ToString());
  } else if (const auto* moved = std::get_if<SessionMoved>(&output)) {
    log_.push_back("moved " + moved->from.client.ToString() + " -> " + moved->to.client.ToString());
  } else if (const auto* passed = std::get_if<PassMessage>(&output)) {
    log_.push_back("pass to core " + std::to_string(passed->owner.value()) + " from " +
                   passed->client.five_tuple.client.ToString());
  } else if (const auto* closed = std::get_if<AllocationClosed>(&output)) {
    meters_.Close(closed->slot);
    log_.push_back("closed s" + std::to_string(closed->slot.value()) + " " +
                   std::string(CloseReasonName(closed->reason)));
  }
}

void CoreWorld::Open(const OpenRelay& open) {
  if (!fail_opens.empty()) {
    const std::optional<OpenError> error = fail_opens.front();
    fail_opens.pop_front();
    if (error) {
      server_->OnRelayOpened(open.relay, std::unexpected(*error), now_);
      return;
    }
  }
  RelaySocket& relay = relays_[NameOf(open.relay)];
  REQUIRE(!relay.open);
  for (const auto& [name, other] : relays_) REQUIRE((!other.open || other.bind != open.bind));
  relay = {.id = open.relay, .bind = open.bind, .slot = {}, .session = open.session, .open = true};
  SessionMeter meter;
  if (open.needs_slot) {
    meter = meters_.Open();
    relay.slot = meter.slot();
  }
  server_->OnRelayOpened(open.relay, meter, now_);
}

void CoreWorld::AnswerHeldOpens() {
  while (!held_opens_.empty()) {
    const OpenRelay open = held_opens_.front();
    held_opens_.pop_front();
    Open(open);
    Poll();
  }
}

std::vector<std::string> CoreWorld::TakeLog() {
  std::vector<std::string> log;
  log.swap(log_);
  return log;
}

std::optional<SendMessage> CoreWorld::TakeSent() {
  if (mailbox_.empty()) return std::nullopt;
  std::optional<SendMessage> sent = std::move(mailbox_.front());
  mailbox_.pop_front();
  return sent;
}

std::optional<Bytes> CoreWorld::TakeMessage(const Client& client) {
  const auto found = std::ranges::find_if(mailbox_, [&](const SendMessage& message) {
    return message.to == client.five_tuple.client && message.link == client.link &&
           message.from == client.five_tuple.server;
  });
  if (found == mailbox_.end()) return std::nullopt;
  Bytes bytes = std::move(found->bytes);
  mailbox_.erase(found);
  return bytes;
}

}  // namespace turnpike
