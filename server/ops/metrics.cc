#include "server/ops/metrics.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "common/base/log.h"
#include "common/metering/account_label.h"
#include "server/ops/core_metrics.h"

namespace turnpike {
namespace {

void ReadBillable(const Scrape& scrape, ExpositionWriter& out) {
  // The first `account_series` accounts of the ledger keep their series for good, since its order
  // never changes; what the others used is summed, so that the total stays right.
  std::set<std::string_view> shown;
  std::map<std::string_view, std::array<uint64_t, kDirectionCount>> others;  // by region
  const auto add = [&](const std::string& account, std::string_view region, const auto& bytes) {
    for (size_t i = 0; i < kDirectionCount; ++i) {
      out.Add(bytes[i], {{"account", account},
                         LabelOf("region", region),
                         NamedLabel("direction", DirectionName(static_cast<Direction>(i)))});
    }
  };
  for (const BillableTotal& total : scrape.ledger->billable) {
    if (!shown.contains(total.account) && shown.size() >= scrape.identity.account_series) {
      auto& sum = others[total.region];
      for (size_t i = 0; i < kDirectionCount; ++i) sum[i] += total.payload_bytes[i];
      continue;
    }
    shown.insert(total.account);
    add(AccountLabel(total.account), total.region, total.payload_bytes);
  }
  for (const auto& [region, sum] : others) add(std::string(kOtherAccounts), region, sum);
}

void ReadQuota(const Scrape& scrape, ExpositionWriter& out) {
  for (const QuotaUse& each : scrape.gauges.quotas) {
    out.Add(Value{each.millionths(), 6}, std::array{NamedLabel("quota", each.quota)});
  }
}

void ReadHeldBack(const Scrape& scrape, ExpositionWriter& out) {
  for (size_t i = 0; i < kLimitCount; ++i) {
    out.Add(Sum(scrape, [&](const TurnStats& s) -> const Counter& { return s.limited[i]; }),
            {NamedLabel("limit", LimitName(static_cast<Limit>(i)))});
  }
}

void ReadCaps(const Scrape& scrape, ExpositionWriter& out) {
  for (const CapLevel& cap : scrape.ledger->caps) {
    const std::array labels = {LabelOf("account", cap.account), LabelOf("label", cap.label),
                               NamedLabel("period", cap.period), LabelOf("limit", cap.limit)};
    out.Add(Value{cap.permille, 3}, labels);
  }
}

void ReadCommits(const Scrape& scrape, ExpositionWriter& out) {
  out.AddHistogram(kCommitBoundsMs, 3, scrape.ledger->commit_buckets,
                   Value{scrape.ledger->commit_sum_us, 6});
}

Value UnixTime(WallTime time) {
  return {static_cast<uint64_t>(std::max<int64_t>(time.time_since_epoch().count(), 0)), 6};
}

void ReadLastCommit(const Scrape& scrape, ExpositionWriter& out) {
  out.Add(UnixTime(scrape.ledger->last_commit));
}

void ReadBackupInterval(const Scrape& scrape, ExpositionWriter& out) {
  if (scrape.ledger->backup_interval_s != 0) out.Add(scrape.ledger->backup_interval_s);
}

void ReadLastBackup(const Scrape& scrape, ExpositionWriter& out) {
  if (scrape.ledger->backup_interval_s != 0) out.Add(UnixTime(scrape.ledger->last_backup));
}

// ReadLoopLag shows each worker by itself: a sum of lags means nothing.
void ReadLoopLag(const Scrape& scrape, ExpositionWriter& out) {
  for (size_t i = 0; i < scrape.workers.size(); ++i) {
    const std::array labels = {NamedLabel("worker", std::to_string(i))};
    out.Add(Value{scrape.workers[i].loop_lag_ns->Get(), 9}, labels);
  }
}

// ReadNamed sums, for each name, a list of counters over the workers.
void ReadNamed(const Scrape& scrape, ExpositionWriter& out, std::string_view label,
               std::vector<NamedCounter> WorkerView::* list) {
  if (scrape.workers.empty()) return;
  for (size_t i = 0; i < (scrape.workers.front().*list).size(); ++i) {
    uint64_t sum = 0;
    for (const WorkerView& worker : scrape.workers) sum += (worker.*list)[i].counter->Get();
    out.Add(sum, {NamedLabel(label, (scrape.workers.front().*list)[i].label)});
  }
}

void ReadAcceptPauses(const Scrape& scrape, ExpositionWriter& out) {
  uint64_t sum = 0;
  for (const WorkerView& worker : scrape.workers) {
    if (worker.accept_pauses != nullptr) sum += worker.accept_pauses->Get();
  }
  out.Add(sum);
}

void ReadCertificateExpiry(const Scrape& scrape, ExpositionWriter& out) {
  if (scrape.gauges.tls_certificate_expires_s == 0) return;
  out.Add(scrape.gauges.tls_certificate_expires_s);
}

void ReadBuildInfo(const Scrape& scrape, ExpositionWriter& out) {
  out.Add(1, {LabelOf("version", scrape.identity.version), LabelOf("node", scrape.identity.node),
              LabelOf("region", scrape.identity.region), LabelOf("edge", scrape.identity.edge)});
}

constexpr MetricType kCounter = MetricType::kCounter;
constexpr MetricType kGauge = MetricType::kGauge;
constexpr MetricType kHistogram = MetricType::kHistogram;
using S = const Scrape&;
using Out = ExpositionWriter&;

// clang-format off
constexpr MetricRow kTable[] = {
    {"turn_allocations", kGauge, "",
     "Allocations alive, by the client's transport and the relayed address's family.",
     ReadAllocations},
    {"turn_allocations_created_total", kCounter, "",
     "Allocations granted; a retransmitted request counts once.",
     [](S s, Out out) { out.Add(Sum(s, [](auto& w) -> auto& { return w.allocations_created; })); }},
    {"turn_allocations_closed_total", kCounter, "",
     "Allocations that ended, by reason.", ReadAllocationsClosed},
    {"turn_session_moves_total", kCounter, "",
     "Sessions that went on at another address of their client (RFC 8016).",
     [](S s, Out out) { out.Add(Sum(s, [](auto& w) -> auto& { return w.moves; })); }},
    {"turn_peer_connections", kGauge, "",
     "TCP connections with peers (RFC 6062), those under way included.",
     [](S s, Out out) { out.Add(Sum(s, [](auto& w) -> auto& { return w.peer_connections; })); }},
    {"turn_peer_connection_events_total", kCounter, "",
     "What became of TCP connections with peers (RFC 6062): connected at the client's wish or not, "
     "accepted from a peer, bound by the client or not in time.", ReadPeerConnectionEvents},
    {"turn_allocation_errors_total", kCounter, "",
     "Error responses to Allocate, by code.", ReadAllocationErrors},
    {"turn_allocation_duration_seconds", kHistogram, "seconds",
     "How long ended allocations lived.", ReadAllocationDuration},
    {"turn_relay_bytes_total", kCounter, "bytes",
     "Application payload that the kernel took since the start, live.", ReadRelayedBytes},
    {"turn_relay_packets_total", kCounter, "",
     "Datagrams and messages with application payload that the kernel took since the start.",
     ReadRelayedPackets},
    {"turn_relay_dropped_packets_total", kCounter, "",
     "Datagrams and messages that were not relayed, by reason; never billed.", ReadDropped},
    {"turn_loops_cut_total", kCounter, "",
     "Datagrams that went round in a loop of relays, and allocations refused because their client "
     "is a relay of this server.",
     [](S s, Out out) { out.Add(Sum(s, [](auto& w) -> auto& { return w.loops; })); }},
    {"turn_rate_limited_total", kCounter, "",
     "Requests that got no answer, since their source had too many of them.", ReadSourceLimited},
    {"turn_billable_bytes_total", kCounter, "bytes",
     "Billable payload in the ledger since it began; restarts do not reset it. The account _other "
     "sums the accounts beyond admin.account_series.", ReadBillable},
    {"turn_auth_failures_total", kCounter, "",
     "Requests that were not authenticated, by reason; a first one without credentials is none.",
     ReadAuthFailures},
    {"stun_requests_total", kCounter, "",
     "STUN requests and indications received and responses sent, by method and class.",
     ReadMessages},
    {"stun_errors_total", kCounter, "",
     "Error responses to any request, by code.", ReadAllErrors},
    {"turn_ports_in_use", kGauge, "",
     "Relay ports in use, reserved ones included.",
     [](S s, Out out) { out.Add(s.gauges.ports_in_use); }},
    {"turn_ports_limit", kGauge, "",
     "Relay ports that there are, over all relay addresses.",
     [](S s, Out out) { out.Add(s.gauges.ports_total); }},
    {"turn_reservations", kGauge, "",
     "Relay ports that tokens reserve.", [](S s, Out out) { out.Add(s.gauges.reservations); }},
    {"turn_cap_utilization_ratio", kGauge, "ratio",
     "How far a cap is used; 1 is all of it. For account * it is that of the account that is "
     "furthest.",
     ReadCaps},
    {"turn_quota_utilization_ratio", kGauge, "ratio",
     "How much of a limit is in use, 0 to 1, by whom most of it is.", ReadQuota},
    {"turn_limited_total", kCounter, "",
     "Allocations refused and datagrams dropped because of a limit, by limit.", ReadHeldBack},
    {"turn_metering_commit_seconds", kHistogram, "seconds",
     "How long the ledger's checkpoints took.", ReadCommits},
    {"turn_metering_last_commit_timestamp_seconds", kGauge, "seconds",
     "Up to when the ledger is complete, in Unix time; 0 before the first commit.", ReadLastCommit},
    {"turn_metering_unpersisted_bytes", kGauge, "bytes",
     "Billable payload in the slots that the ledger does not hold yet.",
     [](S s, Out out) { out.Add(s.ledger->unpersisted_bytes); }},
    {"turn_metering_checkpoints_failed_total", kCounter, "",
     "Checkpoints that could not be written; nothing is lost, the next one holds the same bytes.",
     [](S s, Out out) { out.Add(s.ledger->checkpoints_failed); }},
    {"turn_metering_ledgers_set_aside", kGauge, "",
     "Damaged files beside new ones: usage.db and live.slots.",
     [](S s, Out out) { out.Add(s.ledger->files_set_aside); }},
    {"turn_metering_backup_interval_seconds", kGauge, "seconds",
     "How often the ledger is copied; absent without metering.backup.directory.",
     ReadBackupInterval},
    {"turn_metering_last_backup_timestamp_seconds", kGauge, "seconds",
     "Up to when the newest copy of the ledger is complete, in Unix time; 0: there is none.",
     ReadLastBackup},
    {"turn_metering_healthy", kGauge, "", "1 when the last checkpoint was committed.",
     [](S s, Out out) { out.Add(s.ledger->healthy ? 1 : 0); }},
    {"turn_metering_slots_in_use", kGauge, "", "Sessions alive, or ended and not yet booked.",
     [](S s, Out out) { out.Add(s.gauges.slots_in_use); }},
    {"turn_metering_slots_limit", kGauge, "",
     "Sessions that can be metered at once; beyond it new allocations get 508.",
     [](S s, Out out) { out.Add(s.gauges.slots_total); }},
    {"turn_loop_lag_seconds", kGauge, "seconds",
     "How late the worker's loop last was.", ReadLoopLag},
    {"turn_receive_overflows_total", kCounter, "",
     "Datagrams that the kernel dropped because a receive buffer was full, by listener; relay: all "
     "relayed addresses.",
     [](S s, Out out) { ReadNamed(s, out, "listener", &WorkerView::receive_overflows); }},
    {"turn_connections", kGauge, "",
     "Stream connections and DTLS sessions open, by transport.",
     [](S s, Out out) { ReadNamed(s, out, "transport", &WorkerView::connections); }},
    {"turn_connections_closed_total", kCounter, "",
     "Stream connections and DTLS sessions that ended or were refused, by reason.",
     [](S s, Out out) { ReadNamed(s, out, "reason", &WorkerView::connections_closed); }},
    {"turn_accept_pauses_total", kCounter, "",
     "Times that a listener paused for a second: no descriptor or memory was left.",
     ReadAcceptPauses},
    {"turn_tls_handshakes_total", kCounter, "",
     "TLS handshakes, by result.",
     [](S s, Out out) { ReadNamed(s, out, "result", &WorkerView::tls_handshakes); }},
    {"turn_dtls_handshakes_total", kCounter, "",
     "DTLS handshakes after a valid cookie, by result.",
     [](S s, Out out) { ReadNamed(s, out, "result", &WorkerView::dtls_handshakes); }},
    {"turn_dtls_stranger_datagrams_total", kCounter, "",
     "Datagrams to DTLS listeners that belong to no session and left no state, by action.",
     [](S s, Out out) { ReadNamed(s, out, "action", &WorkerView::dtls_strangers); }},
    {"turn_tls_certificate_expiry_timestamp_seconds", kGauge, "seconds",
     "When the certificate in use expires, in Unix time; absent without TLS.",
     ReadCertificateExpiry},
    {"turn_config_last_reload_successful", kGauge, "",
     "0 when the last reload of configuration or certificate failed: what was before is in force.",
     [](S s, Out out) { out.Add(s.gauges.config_last_reload_successful ? 1 : 0); }},
    {"turn_config_last_reload_success_timestamp_seconds", kGauge, "seconds",
     "When the configuration or the certificate was last read with success, in Unix time.",
     [](S s, Out out) { out.Add(s.gauges.config_loaded_s); }},
    {"turn_config_restart_needed", kGauge, "",
     "1 when the last reload left keys as they were, since changing them needs a restart.",
     [](S s, Out out) { out.Add(s.gauges.config_restart_needed ? 1 : 0); }},
    {"turn_draining", kGauge, "",
     "1 while the server drains: no new allocations, existing ones live on.",
     [](S s, Out out) { out.Add(s.gauges.draining ? 1 : 0); }},
    {"turn_build_info", kGauge, "",
     "Always 1; the labels say which server this is.", ReadBuildInfo},
    {"process_cpu_seconds_total", kCounter, "seconds",
     "User and system CPU time of the process.",
     [](S s, Out out) { out.Add(Value{s.process.cpu_us, 6}); }},
    {"process_resident_memory_bytes", kGauge, "bytes",
     "Resident memory of the process.", [](S s, Out out) { out.Add(s.process.resident_bytes); }},
    {"process_virtual_memory_bytes", kGauge, "bytes",
     "Virtual memory of the process.", [](S s, Out out) { out.Add(s.process.virtual_bytes); }},
    {"process_open_fds", kGauge, "",
     "Open file descriptors.", [](S s, Out out) { out.Add(s.process.open_fds); }},
    {"process_max_fds", kGauge, "",
     "Limit on open file descriptors.", [](S s, Out out) { out.Add(s.process.max_fds); }},
    {"process_start_time_seconds", kGauge, "seconds",
     "When the process started, in Unix time.",
     [](S s, Out out) { out.Add(Value{s.process.start_time_ms, 3}); }},
};
// clang-format on

}  // namespace

std::span<const MetricRow> MetricTable() { return kTable; }

std::string RenderMetrics(const MetricsSource& source) {
  const Scrape scrape = {source.identity(), source.ReadGauges(), source.Workers(), source.Ledger(),
                         ReadProcessUsage()};
  ExpositionWriter writer;
  for (const MetricRow& row : MetricTable()) {
    writer.Begin(row.name, row.type, row.help);
    row.read(scrape, writer);
  }
  return writer.text();
}

}  // namespace turnpike
