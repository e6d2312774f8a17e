// A MetricsSource with every number set by the test.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "server/ops/metrics_source.h"

namespace turnpike::test {

// FakeSource owns its workers; tests write into the public members. Where a server's threads read
// them meanwhile, a test writes the ledger and `not_ready` under `mutex`.
class FakeSource : public MetricsSource {
 public:
  struct Worker {
    TurnStats stats;
    std::array<Counter, 2> receive_overflows;
    Counter loop_lag_ns;
    std::array<Counter, 2> connections;
    Counter connections_closed;
    Counter tls_handshakes;
    Counter dtls_handshakes;
    Counter dtls_strangers;
    Counter accept_pauses;
  };

  explicit FakeSource(size_t worker_count = 1) {
    for (size_t i = 0; i < worker_count; ++i) workers.push_back(std::make_unique<Worker>());
    who = {.node = "relay-1", .region = "us1", .edge = "ashburn", .version = "0.1.0"};
  }

  std::vector<WorkerView> Workers() const override {
    std::vector<WorkerView> views;
    for (const auto& worker : workers) {
      views.push_back(
          {.stats = &worker->stats,
           .loop_lag_ns = &worker->loop_lag_ns,
           .receive_overflows = {{"192.0.2.1:3478", &worker->receive_overflows[0]},
                                 {"relay", &worker->receive_overflows[1]}},
           .connections = {{"tcp", &worker->connections[0]}, {"tls", &worker->connections[1]}},
           .connections_closed = {{"idle", &worker->connections_closed}},
           .tls_handshakes = {{"ok", &worker->tls_handshakes}},
           .dtls_handshakes = {{"ok", &worker->dtls_handshakes}},
           .dtls_strangers = {{"cookie_sent", &worker->dtls_strangers}},
           .accept_pauses = &worker->accept_pauses});
    }
    return views;
  }
  std::shared_ptr<const LedgerStatus> Ledger() const override {
    const std::lock_guard lock(mutex);
    return std::make_shared<LedgerStatus>(ledger);
  }
  Gauges ReadGauges() const override { return gauges; }
  const Identity& identity() const override { return who; }
  bool Ready(std::string* why) const override {
    const std::lock_guard lock(mutex);
    *why = not_ready;
    return not_ready.empty();
  }

  mutable std::mutex mutex;
  std::vector<std::unique_ptr<Worker>> workers;
  LedgerStatus ledger;
  Gauges gauges;
  Identity who;
  std::string not_ready;  // empty: ready
};

// FillEverything gives every series of every metric a number that is not 0.
inline void FillEverything(FakeSource& source) {
  source.ledger.backup_interval_s = 3600;
  uint64_t next = 1;
  const auto fill = [&](auto& counters) {
    for (auto& counter : counters) counter.Set(next++);
  };
  for (auto& worker : source.workers) {
    TurnStats& stats = worker->stats;
    for (auto& row : stats.allocations) fill(row);
    stats.allocations_created.Set(next++);
    fill(stats.allocation_errors);
    fill(stats.errors);
    for (auto& row : stats.relayed_bytes) fill(row);
    for (auto& row : stats.relayed_packets) fill(row);
    fill(stats.dropped_packets);
    fill(stats.limited);
    fill(stats.auth_failures);
    fill(stats.source_limited);
    stats.loops.Set(next++);
    stats.moves.Set(next++);
    for (auto& row : stats.messages) fill(row);
    fill(stats.duration_buckets);
    stats.duration_sum_ms.Set(next++);
    fill(stats.closed);
    stats.peer_connections.Set(next++);
    fill(stats.peer_connection_events);
    fill(worker->receive_overflows);
    worker->loop_lag_ns.Set(next++);
    fill(worker->connections);
    worker->connections_closed.Set(next++);
    worker->tls_handshakes.Set(next++);
    worker->dtls_handshakes.Set(next++);
    worker->dtls_strangers.Set(next++);
    worker->accept_pauses.Set(next++);
  }
  source.gauges = {.ports_in_use = 7,
                   .ports_total = 100,
                   .reservations = 2,
                   .slots_in_use = 3,
                   .slots_total = 65536,
                   .quotas = {{"ports", "", 7, 100}, {"session_bandwidth", "bit/s", 1500, 2000}},
                   .tls_certificate_expires_s = 1'800'000'000,
                   .draining = true,
                   .config_last_reload_successful = true};
  source.ledger.last_commit = WallTime(std::chrono::seconds(1'795'000'000));
  source.ledger.checkpoints_failed = next++;
  source.ledger.unpersisted_bytes = next++;
  for (auto& count : source.ledger.commit_buckets) count = next++;
  source.ledger.commit_sum_us = next++;
  source.ledger.caps = {{"acme", "*", "month", "500 bytes", next++}};
}

}  // namespace turnpike::test
