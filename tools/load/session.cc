#include "tools/load/session.h"

#include <algorithm>
#include <utility>

#include "tools/load/stamp.h"

namespace turnpike::load {
namespace {

TurnClientOptions ClientOptions(const Plan& plan, Transport transport) {
  TurnClientOptions options;
  options.transport = transport;
  options.username = plan.username;
  options.password = plan.password;
  options.lifetime = plan.lifetime;
  // An allocation is of IPv4 unless the client asks (RFC 8656 §7.2).
  if (!plan.peer_ip.is_v4()) options.requested_family = AddressFamily::kIpv6;
  return options;
}

std::string_view NameOf(RequestKind kind) {
  switch (kind) {
    case RequestKind::kAllocate:
      return "Allocate";
    case RequestKind::kRefresh:
    case RequestKind::kRelease:
      return "Refresh";
    case RequestKind::kCreatePermission:
      return "CreatePermission";
    case RequestKind::kChannelBind:
      break;
  }
  return "ChannelBind";
}

// Hint says what usually helps.
std::string Hint(RequestKind kind, uint16_t code, const IpAddress& peer) {
  if (code == 401) {
    return ": wrong user or password, or the secret is not the server's";
  }
  if (code == 403 && kind != RequestKind::kAllocate) {
    return ": the server forbids the peer address " + peer.ToString() +
           "; turnpiked takes it when relay.peers.allow has it, coturn with "
           "--allow-loopback-peers";
  }
  if (code == 486) return ": the account's quota of allocations is used up";
  if (code == 508) return ": the server has no relay port or no slot left";
  return "";
}

}  // namespace

class Session::ClientSink final : public MessageSink {
 public:
  explicit ClientSink(Session& session) : session_(session) {}
  void OnMessage(ByteSpan bytes, MonoTime arrival) override {
    const auto data = session_.client_.OnServerMessage(bytes, session_.context_.now);
    if (data) session_.OnPayload(Direction::kPeerToClient, data->payload, arrival);
  }

 private:
  Session& session_;
};

class Session::PeerSink final : public MessageSink {
 public:
  explicit PeerSink(Session& session) : session_(session) {}
  void OnMessage(ByteSpan bytes, MonoTime arrival) override {
    session_.OnPayload(Direction::kClientToPeer, bytes, arrival);
    if (session_.context_.plan.echo) session_.Echo(bytes);
  }

 private:
  Session& session_;
};

Session::Session(ThreadContext& context, uint32_t number)
    : context_(context),
      number_(number),
      transport_(context.plan.TransportOf(number)),
      opened_at_(context.now),
      client_(ClientOptions(context.plan, transport_), context.random) {}

void Session::Open() {
  const Plan& plan = context_.plan;
  auto peer = OpenUdp(plan.peer_ip);
  if (!peer) return Fail(peer.error());
  peer_fd_ = std::move(*peer);
  peer_ = PeerAddress(LocalAddress(peer_fd_));
  const std::string name = IpAddress::Parse(plan.host) ? "" : plan.host;
  auto leg = ClientLeg::Open({transport_, plan.servers[static_cast<size_t>(transport_)], name,
                              &context_.tls, &context_.dtls});
  if (!leg) return Fail(leg.error());
  leg_ = std::move(*leg);
  AfterOpen();
}

void Session::AfterOpen() {
  if (state_ != State::kConnecting || !leg_->is_open()) return;
  state_ = State::kAllocating;
  client_.Allocate(context_.now);
  Pump();
}

void Session::Fail(std::string reason) {
  if (state_ == State::kDone) return;
  // Whoever is on the way out anyway has not failed for a goodbye that went wrong.
  if (state_ != State::kReleasing) failure_ = std::move(reason);
  state_ = State::kDone;
}

void Session::OnClientSocket(bool writable) {
  if (state_ == State::kDone) return;
  if (writable) {
    if (const auto ok = leg_->OnWritable(); !ok) return Fail(ok.error());
  }
  ClientSink sink(*this);
  const auto ok = leg_->Receive(context_.receiver, context_.wall_to_mono, context_.now, sink);
  if (!ok) return Fail(ok.error());
  AfterOpen();
  Pump();
}

void Session::OnPeerSocket() {
  PeerSink sink(*this);
  // An ICMP error says that the allocation is gone, which the client learns by itself.
  context_.receiver.Receive(peer_fd_.get(), context_.wall_to_mono, context_.now, sink);
}

void Session::OnTimer() {
  const Plan& plan = context_.plan;
  if (state_ == State::kDone) return;
  if (state_ == State::kReleasing && context_.now >= release_deadline_) {
    state_ = State::kDone;
    return;
  }
  if (state_ < State::kReady && context_.now - opened_at_ >= plan.patience) {
    const TransportAddress& server = plan.servers[static_cast<size_t>(transport_)];
    return Fail("no answer from " + server.ToString() + " over " +
                std::string(TransportName(transport_)) + " within " +
                FormatDuration(plan.patience));
  }
  if (state_ == State::kConnecting) leg_->OnTimer();
  const auto deadline = client_.NextDeadline();
  if (!deadline || *deadline > context_.now) return;
  client_.OnTimer(context_.now);
  Pump();
}

void Session::Pump() {
  while (const auto message = client_.PollTransmit()) leg_->SendControl(*message);
  while (const auto event = client_.PollEvent()) OnEvent(*event);
  // What an event made the client say.
  while (const auto message = client_.PollTransmit()) leg_->SendControl(*message);
}

void Session::OnEvent(const ClientEvent& event) {
  if (const auto* allocated = std::get_if<Allocated>(&event)) return OnAllocated(*allocated);
  if (const auto* failed = std::get_if<Failed>(&event)) return OnFailed(*failed);
  if (std::holds_alternative<Released>(event)) {
    leg_->Close();
    state_ = State::kDone;
    return;
  }
  if (state_ == State::kPermitting) state_ = State::kReady;
}

void Session::OnAllocated(const Allocated& allocated) {
  allocated_ = allocated;
  if (const auto ok = Connect(peer_fd_, allocated.relayed.value()); !ok) return Fail(ok.error());
  state_ = State::kPermitting;
  if (context_.plan.mode == Mode::kChannel) {
    client_.BindChannel(peer_, context_.now);
  } else {
    client_.InstallPermission(peer_->ip, context_.now);
  }
}

void Session::OnFailed(const Failed& failed) {
  if (failed.request == RequestKind::kRelease) {
    state_ = State::kDone;
    return;
  }
  const std::string request(NameOf(failed.request));
  if (failed.code == 0) return Fail(request + " was not answered");
  std::string reason = request + " failed with " + std::to_string(failed.code);
  const std::string_view phrase = stun::ErrorPhrase(failed.code);
  if (!phrase.empty()) reason += " (" + std::string(phrase) + ")";
  Fail(reason + Hint(failed.request, failed.code, peer_->ip));
}

void Session::Start() { state_ = State::kSending; }

bool Session::Compose(const DuePacket& due, Direction direction) {
  if (!context_.out.Fits(due.size + DataHead::kMaxSize + 3)) context_.Flush();
  Item item{due.size, due.size, due.intended.time_since_epoch().count()};
  const Stamp stamp{number_, due.sequence, direction, due.intended};
  std::span<uint8_t> payload;
  if (direction == Direction::kClientToPeer) {
    const auto head = client_.HeadFor(peer_, due.size);
    if (!head) return false;
    item.message_size = head->size + due.size + head->padding;
    const std::span<uint8_t> message = context_.out.Add(this, direction, item);
    std::ranges::copy(head->bytes(), message.begin());
    std::ranges::fill(message.last(head->padding), uint8_t{0});
    payload = message.subspan(head->size, due.size);
  } else {
    payload = context_.out.Add(this, direction, item);
  }
  if (payload.size() >= kStampSize) WriteStamp(stamp, context_.plan.run, payload);
  return true;
}

int Session::SocketOf(Direction direction) const {
  if (direction == Direction::kPeerToClient) return peer_fd_.get();
  return transport_ == Transport::kUdp ? leg_->fd().get() : -1;
}

size_t Session::SendPart(const SendQueue::Part& part) {
  return leg_->SendBurst(part.items, part.bytes);
}

void Session::OnSent(Direction direction, std::span<const Item> items, size_t taken, MonoTime when,
                     int error) {
  const bool up = direction == Direction::kClientToPeer;
  if (error != 0 && up) leg_->OnSendError(error);
  Measurements& measurements = context_.measurements;
  for (const Item& item : items.first(taken)) {
    account(direction).OnSent(item.payload_size);
    if (item.intended_ns == Item::kAtOnce) continue;
    const MonoTime intended{Duration(item.intended_ns)};
    const Duration late = when - intended;
    measurements.lateness.Record(late);
    if (context_.plan.keep_gaps) RecordGap(direction, late);
    measurements.timeline.OnSent(intended, item.payload_size);
  }
  for (size_t i = taken; i < items.size(); ++i) account(direction).OnUnsent();
}

void Session::RecordGap(Direction direction, Duration late) {
  std::optional<Duration>& before = late_before_[static_cast<size_t>(direction)];
  if (before) context_.measurements.gap_error.Record(std::chrono::abs(late - *before));
  before = late;
}

void Session::OnPayload(Direction direction, ByteSpan payload, MonoTime arrival) {
  const auto size = static_cast<uint32_t>(payload.size());
  if (size < kStampSize) {
    ++context_.measurements.small_packets;
    return account(direction).OnReceivedUnnumbered(size);
  }
  const auto stamp = ReadStamp(payload, context_.plan.run);
  if (!stamp || stamp->session != number_ || stamp->direction != direction) {
    ++context_.measurements.foreign_packets;
    return;
  }
  if (!account(direction).OnReceived(stamp->sequence, size)) return;
  const Duration latency = arrival - stamp->intended;
  context_.measurements.latency[static_cast<size_t>(direction)].Record(latency);
  const bool is_half_way = context_.plan.echo && direction == Direction::kClientToPeer;
  if (!is_half_way) context_.measurements.timeline.OnReceived(stamp->intended, size, latency);
}

void Session::Echo(ByteSpan payload) {
  const auto size = static_cast<uint32_t>(payload.size());
  if (!context_.out.Fits(size)) context_.Flush();
  const std::span<uint8_t> answer =
      context_.out.Add(this, Direction::kPeerToClient, {size, size, Item::kAtOnce});
  std::ranges::copy(payload, answer.begin());
  auto stamp = ReadStamp(payload, context_.plan.run);
  if (!stamp) return;
  stamp->direction = Direction::kPeerToClient;
  WriteStamp(*stamp, context_.plan.run, answer);
}

void Session::Settle() {
  if (state_ != State::kSending && state_ != State::kReady) return;
  state_ = State::kSettling;
  settled_at_ = context_.now + context_.plan.settle;
}

void Session::Release(MonoTime deadline) {
  if (state_ == State::kDone || state_ == State::kReleasing) return;
  const bool allocated = client_.state() == TurnClient::State::kAllocated;
  state_ = allocated ? State::kReleasing : State::kDone;
  release_deadline_ = deadline;
  if (!allocated) return;
  client_.Release(context_.now);
  Pump();
}

SessionResult Session::TakeResult() {
  if (peer_fd_.valid()) OnPeerSocket();  // what nobody has looked at yet
  context_.Flush();
  SessionResult result;
  result.number = number_;
  result.transport = transport_;
  if (allocated_) {
    result.relayed = allocated_->relayed.value();
    result.client = allocated_->mapped;
  }
  for (size_t i = 0; i < accounts_.size(); ++i) result.counts[i] = accounts_[i].counts();
  result.kernel_drops = KernelDrops(peer_fd_);
  if (leg_ && !IsStream(transport_)) result.kernel_drops += KernelDrops(leg_->fd());
  result.failure = failure_;
  leg_.reset();
  peer_fd_.Reset();
  return result;
}

}  // namespace turnpike::load
