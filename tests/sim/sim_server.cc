#include "tests/sim/sim_server.h"

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <span>

#include "common/stun/stream_framer.h"

namespace turnpike::sim {
namespace {

// A slow reader's queue is full at this many messages.
constexpr size_t kQueueLimit = 6;
constexpr LinkId kUdpListener{1};

// FileSizeLimit makes writes beyond `limit` fail while it lives, as a full disk would. Mapped
// memory is not concerned.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::optional<uint64_t> limit) {
    if (!limit) return;
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit low = {.rlim_cur = *limit, .rlim_max = before_.rlim_max};
    active_ = setrlimit(RLIMIT_FSIZE, &low) == 0;
  }
  ~FileSizeLimit() {
    if (active_) setrlimit(RLIMIT_FSIZE, &before_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  bool active_ = false;
};

PermissionWatch::Ip ToIp(const IpAddress& ip) { return {ip.bytes().begin(), ip.bytes().end()}; }

uint64_t SumOf(const std::vector<BillableTotal>& totals) {
  uint64_t sum = 0;
  for (const BillableTotal& total : totals) sum += total.payload_bytes[0] + total.payload_bytes[1];
  return sum;
}

}  // namespace

SimServer::SimServer(ServerSettings settings, Timeline& timeline, Dice& dice, Auditor& auditor,
                     Wires& wires)
    : settings_(std::move(settings)),
      timeline_(timeline),
      dice_(dice),
      auditor_(auditor),
      wires_(wires) {}

SimServer::~SimServer() = default;

std::expected<std::unique_ptr<SimServer>, std::string> SimServer::Start(
    ServerSettings settings, Timeline& timeline, Dice& dice, Auditor& auditor, Wires& wires) {
  std::unique_ptr<SimServer> server(
      new SimServer(std::move(settings), timeline, dice, auditor, wires));
  const ServerSettings& s = server->settings_;
  auto slots = SlotFile::Open(s.directory + "/live.slots", s.max_slots, s.identity);
  if (!slots) return std::unexpected(slots.error());
  server->slots_ = std::move(*slots);
  LedgerOptions options;
  options.on_step = [raw = server.get()](std::string_view step) {
    if (step == raw->kill_at_step_) throw Killed{};
  };
  auto ledger = Ledger::Open(s.directory, s.identity, std::move(options));
  if (!ledger) return std::unexpected(ledger.error());
  server->ledger_ = std::move(*ledger);

  std::vector<IpAddress> binds;
  for (const RelayAddress& address : s.options.relay_addresses) {
    binds.push_back(address.bind);
    server->permissions_.AddAlias(ToIp(address.bind), ToIp(address.advertise));
  }
  server->directory_ = std::make_unique<Directory>(binds, s.min_port, s.max_port);
  for (size_t i = 0; i < s.workers; ++i) {
    Worker& worker = server->workers_.emplace_back();
    worker.random = std::make_unique<SeededRandom>(s.seed * 31 + i);
    worker.core = std::make_unique<TurnServer>(s.options, s.nonce_secret, *server->directory_,
                                               *worker.random);
  }
  return server;
}

std::string ClientName(const FiveTuple& tuple) {
  return std::string(TransportName(tuple.transport)) + " " + tuple.client.ToString();
}

// WatchedAs is under which name a client's permissions are watched: its session's, if it has one.
const std::string& SimServer::WatchedAs(const std::string& client) const {
  const auto found = watched_as_.find(client);
  return found == watched_as_.end() ? client : found->second;
}

size_t SimServer::IndexOf(const Worker& worker) const {
  return static_cast<size_t>(&worker - workers_.data());
}

// WorkerOf is what SO_REUSEPORT does: a 5-tuple always reaches the same worker.
size_t SimServer::WorkerOf(const TransportAddress& client) const {
  return client.port % workers_.size();
}

void SimServer::OnDatagram(const FiveTuple& tuple, Bytes datagram) {
  Receive(WorkerOf(tuple.client), {.five_tuple = tuple, .link = kUdpListener}, datagram);
}

void SimServer::OpenLink(LinkId link, const FiveTuple& tuple) {
  links_[link] = {.worker = WorkerOf(tuple.client), .tuple = tuple, .in = {}, .queue = {}};
}

void SimServer::OnLinkBytes(LinkId link, Bytes bytes) {
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  const FiveTuple tuple = found->second.tuple;
  const size_t worker = found->second.worker;
  if (!IsStream(tuple.transport)) {
    Receive(worker, {.five_tuple = tuple, .link = link}, bytes);
    return;
  }
  auto& in = found->second.in;
  in.insert(in.end(), bytes.begin(), bytes.end());
  while (links_.contains(link) && !links_.at(link).stream) {
    const auto frame = stun::NextFrame(in);
    if (!frame) {
      CloseLink(link);
      wires_.Disconnected(link);
      return;
    }
    if (!*frame) return;
    const std::vector<uint8_t> message((*frame)->message.begin(), (*frame)->message.end());
    in.erase(in.begin(), in.begin() + static_cast<ptrdiff_t>((*frame)->consumed));
    Receive(worker, {.five_tuple = tuple, .link = link}, message);
  }
}

void SimServer::Receive(size_t index, const Client& client, Bytes message) {
  const std::string name = ClientName(client.five_tuple);
  const auto guest = guests_.find(name);
  Worker& worker = workers_[guest == guests_.end() ? index : guest->second];
  permissions_.SawRequest(WatchedAs(name), message, mono_us());
  // The core must not keep a view: it gets a copy that is gone afterwards.
  std::vector<uint8_t> copy(message.begin(), message.end());
  const auto forward = worker.core->OnClientDatagram(client, copy, timeline_.now());
  if (forward) CheckPermitted(client.five_tuple, forward->to, message[0] >= 0x40);
  const bool may_run = guest == guests_.end() && client.five_tuple.transport == Transport::kUdp;
  const size_t along = may_run ? ArriveInRun(worker, forward, copy) : 0;
  for (size_t i = 0; i <= along; ++i) {
    Hold(worker, forward, copy, IsStream(client.five_tuple.transport));
  }
}

// ArriveInRun lets a datagram come in one run with copies of itself, now and then; it returns how
// many go the same way.
size_t SimServer::ArriveInRun(Worker& worker, const std::optional<Forward>& forward,
                              Bytes datagram) {
  if (!forward || datagram.empty() || !dice_.Percent(10)) return 0;
  std::vector<uint8_t> rest;
  for (uint32_t copies = 1 + dice_.Below(4); copies > 0; --copies) {
    rest.insert(rest.end(), datagram.begin(), datagram.end());
  }
  return worker.core->ExtendRun(*forward, datagram, rest);
}

void SimServer::OnPeerDatagram(const TransportAddress& relay, const TransportAddress& peer,
                               Bytes datagram) {
  const auto found = sockets_.find(relay);
  if (found == sockets_.end() || found->second.protocol != RelayProtocol::kUdp) return;
  Worker& worker = workers_[found->second.worker];
  std::vector<uint8_t> copy(datagram.begin(), datagram.end());
  const auto forward =
      worker.core->OnPeerDatagram(found->second.relay, PeerAddress(peer), copy, timeline_.now());
  bool stream = false;
  // A connection that is gone gets nothing, and nobody knows any more what it was.
  const auto link = forward ? links_.find(forward->link) : links_.end();
  if (forward && (link != links_.end() || forward->link == kUdpListener)) {
    const Transport transport =
        link != links_.end() ? link->second.tuple.transport : Transport::kUdp;
    stream = IsStream(transport);
    CheckPermitted({.client = forward->to, .server = {}, .transport = transport}, peer, false);
  }
  const bool may_run = forward && forward->link == kUdpListener;
  const size_t along = may_run ? ArriveInRun(worker, forward, copy) : 0;
  for (size_t i = 0; i <= along; ++i) Hold(worker, forward, copy, stream);
}

void SimServer::CheckPermitted(const FiveTuple& tuple, const TransportAddress& peer,
                               bool on_channel) {
  if (permissions_.MayRelay(WatchedAs(ClientName(tuple)), ToIp(peer.ip), on_channel, mono_us()))
    return;
  wires_.Problem(ClientName(tuple) + " never asked for " + peer.ToString() +
                 ", or too long ago, and data crosses the relay");
}

int64_t SimServer::mono_us() const {
  return std::chrono::floor<std::chrono::microseconds>(timeline_.now().mono.time_since_epoch())
      .count();
}

// Hold puts a Forward into the batch, or into the queue of a connection; the batch goes out now or
// with a later packet, but always before an output is executed.
void SimServer::Hold(Worker& worker, std::optional<Forward> forward, Bytes input, bool stream) {
  if (forward) {
    Held held{.forward = *forward,
              .input = {input.begin(), input.end()},
              .stream = stream,
              .worker = IndexOf(worker)};
    const size_t offset =
        forward->payload.empty() ? 0 : static_cast<size_t>(forward->payload.data() - input.data());
    held.forward.payload = Bytes(held.input).subspan(offset, forward->payload.size());
    if (forward->direction == Direction::kPeerToClient && forward->link != kUdpListener) {
      Send(worker, std::move(held));
    } else {
      worker.held.push_back(std::move(held));
    }
  }
  if (worker.held.size() >= 4 || dice_.Percent(70)) Flush(worker);
  Poll(worker);
}

void SimServer::Flush(Worker& worker) {
  std::vector<Held> batch = std::exchange(worker.held, {});
  for (Held& held : batch) Send(worker, std::move(held));
}

// Send is the system call, or the queue in front of it.
void SimServer::Send(Worker& worker, Held held) {
  const bool to_client = held.forward.direction == Direction::kPeerToClient;
  if (to_client && held.forward.link != kUdpListener) {
    const auto link = links_.find(held.forward.link);
    if (link == links_.end()) return Refuse(worker, held, DropReason::kClientGone);
    if (held.stream) {
      if (link->second.queue.size() >= kQueueLimit) {
        return Refuse(worker, held, DropReason::kQueueFull);
      }
      link->second.queue.push_back({.control = {}, .held = std::move(held)});
      return;
    }
  }
  if (const auto reason = KernelRefuses(held)) return Refuse(worker, held, *reason);
  Take(worker, held);
}

std::optional<DropReason> SimServer::KernelRefuses(const Held& held) {
  if (held.forward.direction == Direction::kClientToPeer && held.forward.payload.size() > 65507) {
    return DropReason::kTooLarge;
  }
  if (!dice_.Percent(settings_.refused_percent)) return std::nullopt;
  constexpr DropReason kReasons[] = {DropReason::kWouldBlock, DropReason::kTooLarge,
                                     DropReason::kUnreachable, DropReason::kSendFailed};
  return dice_.Pick(kReasons);
}

void SimServer::Refuse(Worker& worker, const Held& held, DropReason reason) {
  // The core gives kTooLarge as well, so that nobody outside can recount it.
  if (reason != DropReason::kTooLarge) {
    auditor_.Refused(worker.session_of[held.forward.relay], std::string(DropReasonName(reason)));
  }
  worker.core->OnSent(held.forward, std::unexpected(reason), timeline_.now());
}

void SimServer::Take(Worker& worker, const Held& held) {
  const Forward& forward = held.forward;
  const std::string& session = worker.session_of[forward.relay];
  if (forward.direction == Direction::kClientToPeer) {
    const auto from = worker.bind_of.find(forward.relay);
    if (from == worker.bind_of.end()) return wires_.Problem("a closed relay should send");
    auditor_.TookDatagramToPeer(session, held.input, held.stream, forward.payload, now_us());
    wires_.ToPeer(from->second, forward.to, forward.payload);
  } else {
    std::vector<uint8_t> message(forward.header_bytes().begin(), forward.header_bytes().end());
    message.insert(message.end(), forward.payload.begin(), forward.payload.end());
    message.insert(message.end(), forward.padding_size, 0);
    auditor_.TookMessageToClient(session, held.input, message, now_us());
    wires_.ToClient(forward.link, forward.to, message);
  }
  worker.core->OnSent(forward, {}, timeline_.now());
}

void SimServer::DrainLink(LinkId link, size_t messages) {
  for (size_t i = 0; i < messages; ++i) {
    const auto found = links_.find(link);
    if (found == links_.end() || found->second.queue.empty()) return;
    const TransportAddress client = found->second.tuple.client;
    Queued next = std::move(found->second.queue.front());
    found->second.queue.pop_front();
    Worker& worker = workers_[next.held ? next.held->worker : found->second.worker];
    if (next.held) {
      Take(worker, *next.held);
    } else {
      wires_.ToClient(link, client, next.control);
    }
    Poll(worker);
  }
}

// CloseLink reports what is queued before or after the core hears of it: either may happen.
void SimServer::CloseLink(LinkId link) {
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  if (found->second.stream) return DropLink(link);
  Link gone = std::move(found->second);
  links_.erase(found);
  Worker& worker = workers_[gone.worker];
  Flush(worker);
  const bool core_first = dice_.Percent(50);
  if (core_first) worker.core->OnLinkClosed(link, timeline_.now());
  for (const Queued& queued : gone.queue) {
    if (queued.held) {
      Refuse(workers_[queued.held->worker], *queued.held, DropReason::kClientGone);
    }
  }
  if (!core_first) worker.core->OnLinkClosed(link, timeline_.now());
  for (Worker& each : workers_) Poll(each);
}

std::optional<MonoTime> SimServer::NextDeadline() const {
  std::optional<MonoTime> next;
  for (const Worker& worker : workers_) {
    const auto deadline = worker.core->NextDeadline();
    if (deadline && (!next || *deadline < *next)) next = deadline;
  }
  return next;
}

void SimServer::OnTimer() {
  for (Worker& worker : workers_) {
    // The batch of a loop turn is out before its timers run.
    Flush(worker);
    worker.core->OnTimer(timeline_.now());
    Poll(worker);
  }
}

bool SimServer::Checkpoint(const CheckpointFaults& faults) {
  kill_at_step_ = faults.kill_at_step;
  std::expected<CheckpointStats, std::string> done;
  {
    const FileSizeLimit limit(faults.file_size_limit);
    done = ledger_->Checkpoint(*slots_, timeline_.now().wall);
  }
  kill_at_step_.clear();
  committed_once_ = committed_once_ || done.has_value();
  if (!committed_once_) return false;
  const uint64_t stored = SumOf(ledger_->BillableTotals());
  const uint64_t missing = ledger_->UnpersistedBytes(*slots_);
  if (done && missing != 0) wires_.Problem("bytes are missing after a good checkpoint");
  if (stored + missing != auditor_.billable()) {
    wires_.Problem("after a checkpoint the ledger has " + std::to_string(stored) + " and misses " +
                   std::to_string(missing) + ", the wires say " +
                   std::to_string(auditor_.billable()));
  }
  return done.has_value();
}

void SimServer::CloseAll() {
  for (Worker& worker : workers_) {
    Flush(worker);
    worker.core->Drain(timeline_.now());
    worker.core->CloseAll(CloseReason::kDrained, timeline_.now());
    Poll(worker);
  }
}

bool SimServer::Finish() { return ledger_->Finish(*slots_, timeline_.now().wall).has_value(); }

}  // namespace turnpike::sim
