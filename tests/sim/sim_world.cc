#include "tests/sim/sim_world.h"

#include <algorithm>
#include <chrono>

#include "tests/sim/ledger_books.h"
#include "tests/sim/report_check.h"

namespace turnpike::sim {

using namespace std::chrono_literals;

namespace {

// Of the 16 boundaries of a slot one is always in use.
constexpr uint32_t kMaxBucketChanges = 14;

}  // namespace

RunStats& RunStats::operator+=(const RunStats& other) {
  sessions += other.sessions;
  packets += other.packets;
  billable_bytes += other.billable_bytes;
  kills += other.kills;
  failed_checkpoints += other.failed_checkpoints;
  good_checkpoints += other.good_checkpoints;
  buckets += other.buckets;
  moves += other.moves;
  stream_bytes += other.stream_bytes;
  crashed_sessions += other.crashed_sessions;
  return *this;
}

SimWorld::SimWorld(uint64_t seed, std::string directory)
    : seed_(seed),
      directory_(std::move(directory)),
      random_(seed),
      dice_(random_),
      timeline_(WallTime{}) {}

SimWorld::~SimWorld() = default;

std::optional<std::string> SimWorld::Run() {
  MakeServerSettings();
  StartServer();
  MakePeers();
  MakeClients();
  PlanMisfortunes();
  ScheduleCheckpoint();
  Arrive();
  RunUntil(MonoTime::max());
  if (problem_.empty()) End();
  if (problem_.empty() && !auditor_.problems().empty()) problem_ = auditor_.problems().front();
  if (problem_.empty()) return std::nullopt;
  return problem_;
}

void SimWorld::StartServer() {
  if (server_ != nullptr || !problem_.empty()) return;
  std::array<uint8_t, 10> random;
  random_.Fill(random);
  settings_.identity.boot = MakeSessionId(timeline_.now().wall, random);
  if (dice_.Percent(10)) settings_.identity.region = dice_.Percent(50) ? "de1" : "us1";
  random_.Fill(settings_.nonce_secret);
  settings_.seed = random_.U64();
  auto started = SimServer::Start(settings_, timeline_, dice_, auditor_, *this);
  if (!started) return Problem("the server does not start: " + started.error());
  server_ = std::move(*started);
}

// Kill ends the process between two events, or wherever Killed was thrown.
void SimWorld::Kill() {
  if (server_ == nullptr) return;
  ++stats_.kills;
  stats_.moves += server_->moves();
  server_.reset();
  auditor_.Crash();
  for (const auto& client : clients_) {
    if (client->transport() != Transport::kUdp) client->OnDisconnected();
  }
  After(dice_.Milliseconds(0, 20'000), [this] { StartServer(); });
}

void SimWorld::Checkpoint() {
  if (server_ == nullptr) return;
  CheckpointFaults faults;
  if (disk_full_) faults.file_size_limit = dice_.Percent(50) ? 0 : dice_.Below(200'000);
  CheckpointNow(faults);
}

bool SimWorld::CheckpointNow(const CheckpointFaults& faults) {
  const bool good = server_->Checkpoint(faults);
  ++(good ? stats_.good_checkpoints : stats_.failed_checkpoints);
  if (good) bucket_changes_ = 0;
  return good;
}

void SimWorld::ScheduleCheckpoint() {
  After(dice_.Milliseconds(500, 120'000), [this] {
    if (busy_clients_ == 0) return;
    Checkpoint();
    ScheduleCheckpoint();
  });
}

void SimWorld::ScheduleClient(SimClient& client, uint32_t acts, Duration delay) {
  if (acts == 0) {
    --busy_clients_;
    return;
  }
  After(delay, [this, &client, acts] {
    // The client goes on, even if its message is the server's last.
    Duration next = 1s;
    Guard([&] { next = client.Act(); });
    ScheduleClient(client, acts - 1, next);
  });
}

// ScheduleStranger sends datagrams to relayed addresses, permitted or not.
void SimWorld::ScheduleStranger(uint32_t datagrams) {
  if (datagrams == 0) return;
  After(dice_.Milliseconds(10, 20'000), [this, datagrams] {
    ScheduleStranger(datagrams - 1);
    if (relayed_.empty()) return;
    std::vector<uint8_t> payload(dice_.Below(300));
    const TransportAddress relay = dice_.Pick(relayed_);
    PeerToRelay(dice_.Pick(peers_), relay, std::move(payload));
  });
}

void SimWorld::RunUntil(MonoTime end) {
  while (problem_.empty()) {
    const auto deadline = server_ != nullptr ? server_->NextDeadline() : std::nullopt;
    // Once the clients are done only the server's own timers go on; End looks after them.
    if (timeline_.empty()) return;
    // A timer may come late: the core must know what has expired all the same.
    const bool timer_first =
        deadline && *deadline <= timeline_.next() && (ending_ || !dice_.Percent(5));
    const MonoTime next = timer_first ? *deadline : timeline_.next();
    if (next > end) return;
    timeline_.AdvanceTo(next);
    Arrive();
    if (timer_first) {
      Guard([this] {
        if (server_ != nullptr) server_->OnTimer();
      });
    } else {
      Guard(timeline_.Pop());
    }
    if (server_ != nullptr) {
      server_->CheckInvariants();
      DrainSome();
      Guard([&] {
        if (dice_.Percent(50)) server_->StepStreams(peers_);
      });
    }
  }
}

// Arrive notes where the clock is. Before a slot would have to remember more than it can, the disk
// is well for once.
void SimWorld::Arrive() {
  const int64_t bucket = timeline_.now().wall.time_since_epoch() / 15min;
  if (bucket != bucket_) ++bucket_changes_;
  bucket_ = bucket;
  if (long_outage_ || bucket_changes_ < kMaxBucketChanges || server_ == nullptr) return;
  if (!CheckpointNow({})) Problem("a checkpoint failed on a good disk");
}

void SimWorld::Guard(const std::function<void()>& event) {
  try {
    event();
  } catch (const Killed&) {
    Kill();
  }
}

void SimWorld::After(Duration delay, std::function<void()> event) {
  timeline_.After(delay, std::move(event));
}

void SimWorld::DrainSome() {
  const auto& client = *dice_.Pick(clients_);
  if (!client.connected() || !IsStream(client.transport()) || dice_.Percent(60)) return;
  Guard([&] { server_->DrainLink(client.link(), dice_.Between(1, 5)); });
}

void SimWorld::End() {
  ending_ = true;
  disk_full_ = false;
  if (server_ != nullptr && dice_.Percent(20)) Kill();
  RunUntil(MonoTime::max());
  StartServer();
  if (!problem_.empty()) return;
  server_->DieAtOutput(0);
  for (const auto& client : clients_) {
    if (client->transport() == Transport::kUdp || !client->connected()) continue;
    if (dice_.Percent(50)) server_->DrainLink(client->link(), 1000);
    Disconnect(*client);
  }
  if (dice_.Percent(50)) server_->CloseAll();
  // Nobody refreshes any more, so everything expires.
  while (const auto deadline = server_->NextDeadline()) {
    timeline_.AdvanceTo(*deadline);
    Arrive();
    server_->OnTimer();
  }
  RunUntil(MonoTime::max());
  server_->CheckInvariants();
  if (!CheckpointNow({})) return Problem("the last checkpoint failed");
  server_->CheckEmpty();
  if (!server_->Finish()) return Problem("the ledger could not be finished");
  Compare();
}

void SimWorld::Compare() {
  const std::vector<BillableTotal> totals = server_->billable();
  stats_.moves += server_->moves();
  server_.reset();
  auto stored = ReadLedgerBooks(directory_);
  if (!stored) return Problem(stored.error());
  for (const BillableTotal& total : totals) {
    stored->totals[{total.account, total.region}] = total.payload_bytes;
  }
  const Books& audited = auditor_.books();
  const auto difference = long_outage_
                              ? FirstDifference(audited.WithoutBuckets(), stored->WithoutBuckets())
                              : FirstDifference(audited, *stored);
  if (difference) return Problem(*difference);
  if (const auto shown = ReportDifference(audited, directory_, !long_outage_)) {
    return Problem(*shown);
  }
  stats_.sessions = audited.sessions.size();
  stats_.billable_bytes = auditor_.billable();
  stats_.stream_bytes = auditor_.stream_bytes();
  stats_.buckets = audited.buckets.size();
  for (const auto& [id, session] : audited.sessions) {
    stats_.packets += session.tally.packets[0] + session.tally.packets[1];
    if (session.close_reason == "crash") ++stats_.crashed_sessions;
  }
}

}  // namespace turnpike::sim
