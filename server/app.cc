#include "server/app.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/base/log.h"
#include "common/base/version.h"
#include "common/metering/backup.h"
#include "common/metering/set_aside.h"
#include "config/rates.h"
#include "server/cpu_count.h"
#include "server/host_addresses.h"
#include "server/io/clock.h"
#include "server/io/system_random.h"
#include "server/io/udp_socket.h"
#include "server/process.h"
#include "server/setup.h"
#include "server/start_report.h"

namespace turnpike {
namespace {

// MakeDirectory creates the last part of the path only: a typing error should not grow a tree.
std::expected<void, std::string> MakeDirectory(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {};
  if (std::filesystem::create_directory(path, error)) {
    // Records name users and their addresses: not for everybody.
    using std::filesystem::perms;
    std::filesystem::permissions(path, perms::owner_all | perms::group_read | perms::group_exec,
                                 error);
    return {};
  }
  return std::unexpected("cannot create the metering directory " + path + ": " + error.message() +
                         "; create it, writable for this user, or name another in "
                         "metering.directory");
}

std::string BackupFault(const config::Config& config) {
  const std::string& directory = config.metering.backup.directory;
  if (directory.empty()) return {};
  const auto usable = CheckBackupDirectory(directory);
  return usable ? std::string() : usable.error();
}

}  // namespace

std::expected<std::unique_ptr<App>, std::string> App::Start(const config::Config& configured,
                                                            Loader loader, const Confine& confine) {
  const config::Config config = ForHost(configured, HasIpv6());
  std::unique_ptr<App> app(new App);
  app->identity_ = {config.node, config.region, config.edge, kVersion, config.admin.account_series};
  app->max_slots_ = config.metering.slots;
  app->drain_deadline_ = config.drain_deadline;
  app->loader_ = std::move(loader);
  const auto listeners = UdpListeners(config);
  if (auto free = CheckListenersFree(listeners, StreamListeners(config)); !free) {
    return std::unexpected(free.error());
  }
  app->certificate_files_.Watch({config.tls.certificate, config.tls.key});
  auto streams = app->MakeStreams(config);
  if (!streams) return std::unexpected(streams.error());
  app->streams_ = std::move(*streams);
  const std::vector<IpAddress> host = HostAddresses();
  const auto relays = ResolveRelayAddresses(config, host);
  if (!relays) return std::unexpected(relays.error());
  std::vector<IpAddress> binds;
  for (const RelayAddress& relay : *relays) binds.push_back(relay.bind);
  app->directory_ =
      std::make_unique<Directory>(binds, config.relay.ports.first, config.relay.ports.last);
  if (auto opened = app->OpenMetering(config); !opened) return std::unexpected(opened.error());

  app->config_ = config;
  app->relays_ = *relays;
  app->host_ = host;
  app->NoteReload(true);
  app->NoteCertificate();
  app->SetToken(config.admin.token);
  app->SetLimits(config);
  const auto revoked = app->revocations_.Load(config.metering.directory, ReadClocks().wall);
  if (!revoked) return std::unexpected(revoked.error());
  app->directory_->SetRevoked(*revoked);
  if (auto up = app->BringUp(config, listeners, *relays, host, confine); !up) {
    app->ledger_->Stop();  // so that reports need not take this start for a crash
    return std::unexpected(up.error());
  }
  app->LogStarted(config, *relays);
  return app;
}

std::expected<void, std::string> App::BringUp(const config::Config& config,
                                              const std::vector<UdpListenOptions>& listeners,
                                              const std::vector<RelayAddress>& relays,
                                              const std::vector<IpAddress>& host,
                                              const Confine& confine) {
  WorkerSetup setup;
  setup.turn = MakeTurnOptions(config, relays, host);
  setup.udp_listeners = listeners;
  setup.stream_listeners = StreamListeners(config);
  setup.udp_path = udp_path_ = ChooseUdpPath(config.udp_path, FastestUdpPath());
  connection_limits_ = std::make_unique<ConnectionLimits>(config.limits.connections,
                                                          config.limits.connections_per_address);
  streams_.limits = connection_limits_.get();
  handovers_ = std::make_unique<HandoverBoard>();
  streams_.handovers = handovers_.get();
  setup.streams = streams_;
  setup.slots = slots_.get();
  SystemRandom().Fill(setup.nonce_secret);
  if (auto opened = OpenWorkers(config, std::move(setup)); !opened) return opened;
  if (confine) {
    if (auto confined = confine(); !confined) return confined;
  }
  auto admin = StartAdminHttp(config.admin.address, *this, *this);
  if (!admin) return std::unexpected(admin.error());
  admin_ = std::move(*admin);
  if (auto api = StartApi(config); !api) return api;
  ledger_->Start();
  StartWorkers(config.pin_workers);
  stopped_ = false;
  return {};
}

std::expected<void, std::string> App::OpenMetering(const config::Config& config) {
  const std::string& directory = config.metering.directory;
  if (auto made = MakeDirectory(directory); !made) return made;
  std::array<uint8_t, 10> random{};
  SystemRandom().Fill(random);
  const LedgerIdentity identity{config.node, config.region, config.edge,
                                MakeSessionId(ReadClocks().wall, random)};
  auto ledger = Ledger::Open(directory, identity);
  if (!ledger) return std::unexpected(ledger.error());
  auto slots = SlotFile::Open(directory + "/live.slots", config.metering.slots, identity);
  if (!slots) return std::unexpected(slots.error());
  slots_ = std::move(*slots);
  ledger_ = std::make_unique<LedgerThread>(
      std::move(*ledger), *slots_, config.metering.checkpoint,
      LedgerRetention{config.metering.retention.sessions, config.metering.retention.parts},
      LedgerBackups{config.metering.backup.directory, config.metering.backup.every},
      FilesSetAside(directory));
  if (!config.caps.empty()) {
    auto caps = MakeCaps(config);
    if (!caps) return std::unexpected(caps.error());
    if (auto set = ledger_->SetCaps(std::move(*caps)); !set) return set;
  }
  const uint32_t left = slots_->used();
  if (left > 0) Log(LogLevel::kWarning, "sessions_recovered", {{"sessions", left}});
  ledger_->Recover();
  return {};
}

std::expected<std::unique_ptr<CapKeeper>, std::string> App::MakeCaps(const config::Config& config) {
  std::optional<RateTable> rates;
  if (!config.metering.rates.empty()) {
    auto loaded = config::LoadRates(config.metering.rates);
    if (!loaded) return std::unexpected(loaded.error().front().ToString());
    rates = std::move(*loaded);
  }
  // Workers come after this. What is recovered now is no live session, so none is to be ended yet.
  CapOutcome outcome{
      .refuse = [this](std::vector<CappedUse> uses) { directory_->SetCapped(std::move(uses)); },
      .end =
          [this](const std::vector<SessionId>& sessions) {
            for (const auto& worker : workers_) worker->EndSessions(sessions, CloseReason::kQuota);
          }};
  return std::make_unique<CapKeeper>(config.caps, std::move(rates), *slots_, std::move(outcome));
}

std::expected<void, std::string> App::OpenWorkers(const config::Config& config, WorkerSetup setup) {
  setup.directory = directory_.get();
  const uint32_t count = config.workers != 0 ? config.workers : UsableCpus();
  for (uint32_t i = 0; i < count; ++i) {
    auto worker = Worker::Open(setup);
    if (!worker) return std::unexpected(worker.error());
    // Port 0 is chosen by the first worker; the others join it.
    setup.udp_listeners = (*worker)->listeners();
    setup.stream_listeners = (*worker)->stream_listeners();
    workers_.push_back(std::move(*worker));
  }
  return {};
}

void App::StartWorkers(bool pinned) {
  const std::vector<int> cpus = AllowedCpus();
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->Start(pinned ? std::optional(cpus[i % cpus.size()]) : std::nullopt);
  }
}

void App::LogStarted(const config::Config& config, const std::vector<RelayAddress>& relays) const {
  std::vector<std::string> listen;
  for (const UdpListenOptions& each : listeners()) {
    if (each.plain) listen.push_back("udp " + each.address.ToString());
    if (each.dtls) listen.push_back("dtls " + each.address.ToString());
  }
  for (const StreamListenOptions& each : stream_listeners()) {
    if (each.plain) listen.push_back("tcp " + each.address.ToString());
    if (each.tls) listen.push_back("tls " + each.address.ToString());
  }
  const auto& backups = config.metering.backup;
  const std::string ports =
      std::to_string(config.relay.ports.first) + "-" + std::to_string(config.relay.ports.last);
  const TransportAddress admin{config.admin.address.ip, admin_port()};
  Log(LogLevel::kInfo, "started",
      {{"version", identity_.version},
       {"node", identity_.node},
       {"region", identity_.region},
       {"edge", identity_.edge},
       {"listen", JoinTexts(listen)},
       {"relay_addresses", DescribeRelays(relays)},
       {"relay_ports", ports},
       {"workers", static_cast<uint64_t>(workers_.size())},
       {"workers_pinned", config.pin_workers},
       {"udp_path", UdpPathName(udp_path_)},
       {"realm", config.auth.realm},
       {"users", static_cast<uint64_t>(config.auth.users.size())},
       {"secrets", static_cast<uint64_t>(config.auth.secrets.size())},
       {"certificate", streams_.tls == nullptr          ? "none"
                       : config.tls.certificate.empty() ? "made up at this start"
                                                        : config.tls.certificate},
       {"limits", DescribeLimits(config)},
       {"caps", static_cast<uint64_t>(config.caps.size())},
       {"slots", config.metering.slots},
       {"database", config.metering.directory + "/usage.db"},
       {"checkpoint", FormatDuration(config.metering.checkpoint)},
       {"backup", backups.directory.empty()
                      ? "none"
                      : backups.directory + " every " + FormatDuration(backups.every)},
       {"admin", admin.ToString()},
       {"admin_api", config.admin.token.empty() ? "refuses: no admin.token" : "by token"},
       {"api", api_port() == 0 ? "off" : config.api.address.ToString()}});
  const HostLimits host_limits{.descriptors = RaiseDescriptorLimit(),
                               .receive_buffer = ReceiveBufferLimit(),
                               .backup_fault = BackupFault(config)};
  for (const std::string& warning : Warnings(config, relays, host_limits)) {
    Log(LogLevel::kWarning, "config_warning", {{"warning", warning}});
  }
}

App::~App() { Stop(); }

void App::Drain() {
  if (draining_.exchange(true)) return;
  const Duration deadline = drain_deadline_;
  drain_ends_at_ = ReadClocks().mono + deadline;
  for (const auto& worker : workers_) worker->Drain();
  Log(LogLevel::kInfo, "drain_started",
      {{"sessions", LiveSessions()}, {"deadline", FormatDuration(deadline)}});
}

bool App::AllWorkersDrain() const {
  return std::ranges::all_of(workers_, [](const auto& worker) { return worker->drains(); });
}

uint64_t App::LiveSessions() const {
  uint64_t closed = 0;
  uint64_t created = 0;
  // Ends are read first: one that comes in between is counted as alive, never as less than none.
  for (const auto& worker : workers_) {
    const TurnStats& stats = *worker->view().stats;
    for (const Counter& each : stats.closed) closed += each.Get();
  }
  for (const auto& worker : workers_) created += worker->view().stats->allocations_created.Get();
  return created - closed;
}

bool App::EveryWorkerTurned() {
  std::vector<uint64_t> seen;
  for (const auto& worker : workers_) seen.push_back(worker->heartbeats());
  heartbeats_seen_.resize(seen.size());
  for (size_t i = 0; i < seen.size(); ++i) {
    if (seen[i] == heartbeats_seen_[i]) return false;
  }
  heartbeats_seen_ = std::move(seen);
  return true;
}

bool App::Stop() {
  if (std::exchange(stopped_, true)) return true;
  draining_ = true;
  Log(LogLevel::kInfo, "stopping", {{"sessions", LiveSessions()}});
  for (const auto& worker : workers_) worker->Stop();
  for (const auto& worker : workers_) worker->Join();
  const bool saved = ledger_->Stop();
  const auto status = ledger_->status();
  if (saved) {
    Log(LogLevel::kInfo, "stopped");
  } else {
    Log(LogLevel::kWarning, "stopped_with_unpersisted_usage",
        {{"error", status->last_error},
         {"unpersisted_bytes", status->unpersisted_bytes},
         {"kept_in", "live.slots: the next start writes them to the ledger"}});
  }
  return saved;
}

std::vector<WorkerView> App::Workers() const {
  std::vector<WorkerView> views;
  for (const auto& worker : workers_) views.push_back(worker->view());
  return views;
}

std::shared_ptr<const LedgerStatus> App::Ledger() const { return ledger_->status(); }

MetricsSource::Gauges App::ReadGauges() const {
  return {.ports_in_use = directory_->ports_in_use(),
          .ports_total = directory_->ports_total(),
          .reservations = directory_->reservations(),
          .slots_in_use = slots_->used(),
          .slots_total = max_slots_,
          .quotas = Quotas(),
          .tls_certificate_expires_s = certificate_expires_s_,
          .draining = draining_,
          .config_last_reload_successful = last_reload_ok_ && certificate_ok_,
          .config_restart_needed = restart_needed_,
          .config_loaded_s = config_loaded_s_};
}

bool App::Ready(std::string* why) const {
  if (draining_) {
    *why = "draining";
  } else if (slots_->used() >= max_slots_) {
    *why = "no free slots";
  } else {
    return true;
  }
  return false;
}

}  // namespace turnpike
