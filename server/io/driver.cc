#include "server/io/driver.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>
#include <variant>

#include "common/base/check.h"
#include "common/base/log.h"
#include "server/io/clock.h"

namespace turnpike {
namespace {

constexpr std::chrono::milliseconds kHeartbeat{1000};
constexpr std::chrono::seconds kWarningInterval{10};

}  // namespace

Driver::Driver(uv_loop_t* loop, TurnServer& core, SlotFile& slots, const StreamOptions& streams,
               UdpPath udp_path)
    : loop_(loop),
      core_(core),
      slots_(slots),
      receive_batch_(stats_.relay_overflows, udp_path),
      outbox_(*this, udp_path),
      relays_(loop, *this),
      streams_(loop, *this, *this, stats_.streams, streams),
      dtls_(*this, *this, stats_.streams, streams),
      tcp_relays_(loop, *this, stats_.streams, streams_.options()),
      handovers_(streams.handovers),
      timer_(loop),
      heartbeat_(loop),
      turn_end_(UvCheck::Each<&Driver::OnTurnEnd>(loop, this)),
      handover_(UvAsync::On<&Driver::OnHandovers>(loop, this)) {
  if (handovers_ != nullptr) handovers_->Join(core_.core_id(), handover_);
  heartbeat_due_ = now().mono + kHeartbeat;
  heartbeat_.Start<&Driver::OnHeartbeat>(this, static_cast<uint64_t>(kHeartbeat.count()));
  now_.reset();
}

Driver::~Driver() {
  if (handovers_ != nullptr) handovers_->Leave(core_.core_id());
}

std::expected<TransportAddress, std::string> Driver::ListenUdp(const UdpListenOptions& options) {
  const LinkId link(static_cast<uint32_t>(links_.size()));
  auto listener = UdpListener::Open(loop_, options, link, *this, &dtls_);
  if (!listener) return std::unexpected(listener.error());
  const TransportAddress bound = (*listener)->address();
  (*listener)->udp_socket().overflows = &stats_.listener_overflows.emplace_back();
  links_.push_back(std::move(*listener));
  return bound;
}

std::expected<TransportAddress, std::string> Driver::ListenStream(
    const StreamListenOptions& options) {
  return streams_.Listen(options);
}

const Now& Driver::now() {
  if (!now_) now_ = ReadClocks();
  return *now_;
}

void Driver::OnClientMessage(const Client& client, ByteSpan bytes) {
  OnClientDatagram(client, bytes, {});
}

size_t Driver::OnClientDatagram(const Client& client, ByteSpan bytes, ByteSpan rest) {
  if (const auto owner = guests_.OwnerOf(client)) {
    PassOn(*owner, client, {bytes.begin(), bytes.end()});
    return 0;
  }
  size_t along = 0;
  if (const auto forward = core_.OnClientDatagram(client, bytes, now())) {
    along = Take(*forward, bytes, rest);
  }
  PollOutputs();
  return along;
}

size_t Driver::OnPeerDatagram(RelayId relay, const PeerAddress& peer, ByteSpan bytes,
                              ByteSpan rest) {
  size_t along = 0;
  if (const auto forward = core_.OnPeerDatagram(relay, peer, bytes, now())) {
    along = Take(*forward, bytes, rest);
  }
  PollOutputs();
  return along;
}

void Driver::OnPeerError(RelayId relay, const PeerAddress& peer, const IcmpError& error) {
  core_.OnIcmp(relay, peer, error, now());
  PollOutputs();
}

// Take sends `forward`, made of `message`, and takes along what of `rest` goes the same way. It
// returns how many datagrams of that.
size_t Driver::Take(const Forward& forward, ByteSpan message, ByteSpan rest) {
  const bool to_client = forward.direction == Direction::kPeerToClient;
  if (IsGuest(forward.link)) {
    TakeForGuest(forward);
  } else if (to_client && IsConnection(forward.link)) {
    TakeByConnection(forward);
  } else if (to_client && IsDtlsSession(forward.link)) {
    TakeForDtls(forward);
  } else if (UdpSocket* const socket = SocketOf(forward); socket == nullptr) {
    // The core forwards by relays and links that it was told of; still, no Forward goes unreported.
    Report(forward, std::unexpected(DropReason::kSendFailed));
  } else {
    const size_t along = rest.empty() ? 0 : core_.ExtendRun(forward, message, rest);
    if (outbox_.full()) FlushOutbox();
    outbox_.Add(*socket, forward, static_cast<uint32_t>(1 + along), message.size());
    return along;
  }
  return 0;
}

UdpSocket* Driver::SocketOf(const Forward& forward) {
  if (forward.direction == Direction::kClientToPeer) return relays_.Find(forward.relay);
  const uint32_t link = forward.link.value();
  return link < links_.size() ? &links_[link]->udp_socket() : nullptr;
}

void Driver::TakeByConnection(const Forward& forward) {
  StreamConnection* connection = streams_.Find(forward.link);
  const SendResult queued = connection != nullptr ? connection->SendForward(forward)
                                                  : std::unexpected(DropReason::kClientGone);
  // What is queued is reported once the kernel has it.
  if (!queued) Report(forward, queued);
}

void Driver::TakeForDtls(const Forward& forward) {
  auto sealed = dtls_.Seal(forward);
  if (!sealed) return Report(forward, std::unexpected(sealed.error()));
  if (outbox_.full()) FlushOutbox();
  outbox_.Add(links_[sealed->listener.value()]->udp_socket(), forward, std::move(sealed->bytes));
}

void Driver::SendDatagram(LinkId listener, const FiveTuple& tuple, std::vector<uint8_t> bytes) {
  if (outbox_.full()) FlushOutbox();
  outbox_.Add(links_[listener.value()]->udp_socket(), {.link = listener,
                                                       .from = tuple.server,
                                                       .to = tuple.client,
                                                       .bytes = std::move(bytes),
                                                       .by_address = false});
}

void Driver::OnForwardSent(const Forward& forward, SendResult result, uint32_t count) {
  Report(forward, result, count);
}

void Driver::OnBatchEnd() {
  if (receive_batch_.has_room()) return;
  FlushOutbox();
  PollOutputs();
  receive_batch_.Reset();
}

void Driver::FlushOutbox() {
  if (!outbox_.empty()) outbox_.Flush();
  streams_.Flush();
}

void Driver::OnReceiveMemoryFull() {
  FlushOutbox();
  PollOutputs();
}

void Driver::OnLinkClosed(LinkId link) {
  for (const CoreId owner : guests_.TakePassed(link)) {
    handovers_->Post(owner, GuestGone{.host = core_.core_id(), .link = link});
  }
  core_.OnLinkClosed(link, now());
}

void Driver::PollOutputs() {
  while (auto output = core_.PollOutput()) {
    // A message may travel with the Forwards before it; everything else waits until they are sent
    // and reported, so that a CloseRelay never overtakes data and a slot closes with final totals.
    if (!std::holds_alternative<SendMessage>(*output)) FlushOutbox();
    std::visit([this](auto&& each) { Execute(std::forward<decltype(each)>(each)); },
               std::move(*output));
  }
}

void Driver::Execute(SendMessage output) {
  if (SendToGuest(output)) return;
  if (IsConnection(output.link)) {
    StreamConnection* connection = streams_.Find(output.link);
    if (connection != nullptr) connection->SendStun(std::move(output.bytes));
    return;
  }
  if (IsDtlsSession(output.link)) return dtls_.SendStun(output.link, output.bytes);
  Link* const link = output.by_address                     ? FindListener(output.from)
                     : output.link.value() < links_.size() ? links_[output.link.value()].get()
                                                           : nullptr;
  if (link == nullptr) return;
  if (outbox_.full()) FlushOutbox();
  outbox_.Add(link->udp_socket(), std::move(output));
}

Link* Driver::FindListener(const TransportAddress& address) {
  const auto found = std::ranges::find_if(
      links_, [&](const std::unique_ptr<Link>& link) { return link->address() == address; });
  return found == links_.end() ? nullptr : found->get();
}

void Driver::Execute(const OpenRelay& output) {
  const bool is_tcp = output.protocol == RelayProtocol::kTcp;
  const auto opened = is_tcp ? tcp_relays_.Open(output.relay, output.bind)
                             : relays_.Open(output.relay, output.bind);
  if (!opened) {
    WarnRelayFailed(output.bind, opened.error(),
                    is_tcp ? tcp_relays_.last_errno() : relays_.last_errno());
    core_.OnRelayOpened(output.relay, std::unexpected(opened.error()), now());
    return;
  }
  if (!output.needs_slot) {
    core_.OnRelayOpened(output.relay, SessionMeter(), now());
    return;
  }
  const auto meter = slots_.Acquire(output.session);
  if (!meter) {
    Execute(CloseRelay{.relay = output.relay, .protocol = output.protocol});
    WarnRelayFailed(output.bind, OpenError::kNoSlot, 0);
    core_.OnRelayOpened(output.relay, std::unexpected(OpenError::kNoSlot), now());
    return;
  }
  core_.OnRelayOpened(output.relay, *meter, now());
}

void Driver::Execute(const CloseRelay& output) {
  if (output.protocol == RelayProtocol::kTcp) {
    tcp_relays_.Close(output.relay);
  } else {
    relays_.Close(output.relay);
  }
}

void Driver::Execute(const AllocationClosed& output) {
  slots_.Close(output.slot, output.reason, output.ended_at);
}

void Driver::WarnRelayFailed(const TransportAddress& bind, OpenError error, int last_errno) {
  // Another program's port is everyday life: the core takes the next one.
  if (error == OpenError::kPortInUse) return;
  if (last_warning_ && now().mono - *last_warning_ < kWarningInterval) return;
  last_warning_ = now().mono;
  const char* why = error == OpenError::kNoSlot
                        ? "no slot is free: raise metering.slots, or see why the ledger is behind"
                        : std::strerror(last_errno);
  Log(LogLevel::kWarning, "relay_open_failed", {{"address", bind.ToString()}, {"error", why}});
}

void Driver::Drain() {
  core_.Drain(now());
  PollOutputs();
  now_.reset();
}

void Driver::EndSessions(const std::vector<SessionId>& sessions, CloseReason reason) {
  core_.EndSessions(sessions, reason, now());
  PollOutputs();
}

void Driver::SetOptions(TurnOptions turn, const StreamOptions& streams) {
  core_.SetOptions(std::move(turn));
  // At once: a stream to a peer that is denied now must not move another byte.
  PollOutputs();
  streams_.SetOptions(streams);
  dtls_.SetOptions(streams);
}

void Driver::CloseAll(CloseReason reason) {
  FlushOutbox();
  AbandonGuests();
  core_.CloseAll(reason, now());
  PollOutputs();
  FlushOutbox();
  // What clients have not read by now they will not get, and it is not billed.
  streams_.EndAll();
  streams_.Reap();
  dtls_.EndAll();
  dtls_.Reap();
  PollOutputs();
  FlushOutbox();
  tcp_relays_.Reap();
  if (handovers_ != nullptr) {
    for (Handover& left : handovers_->Leave(core_.core_id())) {
      if (auto* const end = std::get_if<ClientEnd>(&left)) tcp_relays_.Refuse(std::move(*end));
    }
  }
  now_.reset();
}

void Driver::OnTurnEnd() {
  do {
    FlushOutbox();
    PollOutputs();
    FlushOutbox();  // messages that the outputs asked for
  } while (streams_.Reap() || dtls_.Reap() || tcp_relays_.Reap());
  receive_batch_.Reset();
  streams_.ResetReceiveMemory();
  held_.clear();
  ArmTimer();
  now_.reset();
}

std::optional<MonoTime> Driver::NextDeadline() const {
  std::optional<MonoTime> next;
  for (const auto& each : {core_.NextDeadline(), streams_.NextDeadline(), dtls_.NextDeadline(),
                           tcp_relays_.NextDeadline()}) {
    if (each && (!next || *each < *next)) next = each;
  }
  return next;
}

void Driver::ArmTimer() {
  const auto deadline = NextDeadline();
  if (deadline == armed_) return;
  armed_ = deadline;
  if (!deadline) {
    timer_.Stop();
    return;
  }
  // Rounded up: waking early would only find that nothing is due yet. libuv counts from the time at
  // which its loop turn began, which is what `now` is close to.
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*deadline - now().mono);
  timer_.Start<&Driver::OnDeadline>(this,
                                    static_cast<uint64_t>(std::max<int64_t>(0, wait.count())));
}

void Driver::OnDeadline() {
  armed_.reset();
  core_.OnTimer(now());
  streams_.OnTimer(now().mono);
  dtls_.OnTimer(now().mono);
  tcp_relays_.OnTimer(now().mono);
  OnTurnEnd();
}

void Driver::OnHeartbeat() {
  const Duration late = now().mono - heartbeat_due_;
  stats_.heartbeats.Add(1);
  core_.MeasureUse(now());
  stats_.loop_lag_ns.Set(static_cast<uint64_t>(std::max<int64_t>(0, late.count())));
  heartbeat_due_ = now().mono + kHeartbeat;
  heartbeat_.Start<&Driver::OnHeartbeat>(this, static_cast<uint64_t>(kHeartbeat.count()));
  now_.reset();
}

}  // namespace turnpike
