// The whole server, built from a configuration.
#pragma once

#include <atomic>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/config.h"
#include "server/api/service.h"
#include "server/api/trigger_watch.h"
#include "server/file_watch.h"
#include "server/io/connection_limits.h"
#include "server/io/dtls_context.h"
#include "server/io/handover_board.h"
#include "server/io/tls_context.h"
#include "server/ledger_thread.h"
#include "server/ops/admin_actions.h"
#include "server/ops/admin_http.h"
#include "server/ops/metrics_source.h"
#include "server/revocation_file.h"
#include "server/session_rates.h"
#include "server/worker.h"

namespace turnpike {

// App owns everything that runs: the directory and the slot file, the ledger thread, the workers
// and the admin endpoint.
class App final : public MetricsSource, public AdminActions {
 public:
  // Loader reads the configuration again, for Reload.
  using Loader = std::function<std::expected<config::Config, std::vector<config::Problem>>()>;

  // Confine takes from the process what it does not need any more, for good; see Harden.
  using Confine = std::function<std::expected<void, std::string>()>;

  // Start brings the server up. What an earlier process left in the slots is in the ledger before
  // the first listener opens. `confine` is called when all clients' and the ledger's doors are open
  // and no thread runs yet; null: not at all. It fails with one sentence, that of `confine` too,
  // and leaves nothing running. Signals should be blocked before (BlockSignals), since it starts
  // threads.
  static std::expected<std::unique_ptr<App>, std::string> Start(const config::Config& config,
                                                                Loader loader,
                                                                const Confine& confine = nullptr);

  // The destructor stops a server that runs, as Stop does.
  ~App() override;
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Drain refuses new allocations from now on; those that live go on. The server is not ready any
  // more, and the supervisor stops it when the last has ended, or at drain_ends_at(). A second call
  // changes nothing. Any thread.
  void Drain() override;
  bool draining() const { return draining_; }
  // drain_ends_at is when a drain gives up waiting.
  MonoTime drain_ends_at() const { return drain_ends_at_.load(); }
  // AllWorkersDrain says whether every worker has heard of it: from then on the sessions only
  // become fewer. LiveSessions counts them.
  bool AllWorkersDrain() const;
  uint64_t LiveSessions() const override;

  // EveryWorkerTurned says whether each worker's loop has turned since the last call that said so.
  // The main thread alone may ask.
  bool EveryWorkerTurned();

  // What the JSON API can see and do; see AdminActions.
  std::expected<std::vector<LiveSession>, std::string> Sessions() override;
  void KillSessions(const std::vector<SessionId>& sessions) override;
  std::expected<void, std::string> Revoke(const Revocation& revocation) override;
  std::string admin_token() const override;
  std::vector<QuotaUse> Quotas() const override;

  // Reload is of AdminActions: listeners, relay addresses and what else needs a restart stay, live
  // allocations keep their keys, and connections the certificate that they began with.
  ReloadReport Reload() override;

  // ReloadChangedCertificate reads the certificate again when its files have changed, and now and
  // then when it failed. Call it every few seconds.
  void ReloadChangedCertificate();

  // Stop takes no more allocations, ends those that live as kDrained, and writes the last
  // checkpoint. It returns false when the ledger refused that one: the totals are then still in the
  // slot file, and the next start books them.
  bool Stop();

  // listeners returns what the UDP sockets are bound to, stream_listeners the others. admin_port is
  // the port of the admin endpoint.
  const std::vector<UdpListenOptions>& listeners() const { return workers_.front()->listeners(); }
  const std::vector<StreamListenOptions>& stream_listeners() const {
    return workers_.front()->stream_listeners();
  }
  uint16_t admin_port() const { return admin_->port(); }
  // api_port is the port of the API, 0 if there is none.
  uint16_t api_port() const { return api_http_ == nullptr ? 0 : api_http_->port(); }

  // What HTTP threads read.
  std::vector<WorkerView> Workers() const override;
  std::shared_ptr<const LedgerStatus> Ledger() const override;
  Gauges ReadGauges() const override;
  const Identity& identity() const override { return identity_; }
  bool Ready(std::string* why) const override;

 private:
  App() = default;
  std::expected<void, std::string> BringUp(const config::Config& config,
                                           const std::vector<UdpListenOptions>& listeners,
                                           const std::vector<RelayAddress>& relays,
                                           const std::vector<IpAddress>& host,
                                           const Confine& confine);
  std::expected<void, std::string> OpenMetering(const config::Config& config);
  std::expected<std::unique_ptr<CapKeeper>, std::string> MakeCaps(const config::Config& config);
  std::expected<void, std::string> OpenWorkers(const config::Config& config, WorkerSetup setup);
  void StartWorkers(bool pinned);
  // app_reload.cc. Adopt serves by `config`, whose keys that need a restart are those in force; it
  // fails with a sentence and changes nothing. Both are for one thread at a time.
  std::expected<void, std::string> Adopt(config::Config config);
  void Serve(const config::Config& config, FileWatch files, StreamOptions streams);
  std::expected<StreamOptions, std::string> MakeStreams(const config::Config& config);
  std::expected<void, std::string> StartApi(const config::Config& config);
  void NoteReload(bool ok);
  void NoteCertificate();
  void SetToken(const std::string& token);
  void SetLimits(const config::Config& config);
  void LogStarted(const config::Config& config, const std::vector<RelayAddress>& relays) const;

  Identity identity_;
  uint32_t max_slots_ = 0;
  std::atomic<Duration> drain_deadline_{};
  std::atomic<bool> draining_{false};
  std::atomic<MonoTime> drain_ends_at_{MonoTime::max()};
  std::vector<uint64_t> heartbeats_seen_;  // by worker, of the main thread
  bool stopped_ = true;                    // until Start is through
  UdpPath udp_path_ = UdpPath::kBatch;
  std::unique_ptr<Directory> directory_;
  std::unique_ptr<SlotFile> slots_;
  std::unique_ptr<LedgerThread> ledger_;
  std::unique_ptr<ConnectionLimits> connection_limits_;

  // app_sessions.cc.
  std::mutex sessions_mutex_;
  SessionRates rates_;  // guarded by sessions_mutex_
  RevocationFile revocations_;

  // What a reload changes, and starts from.
  std::mutex reload_mutex_;
  Loader loader_;
  config::Config config_;  // in force; as all that follows up to the atomics, guarded
  std::vector<RelayAddress> relays_;
  std::vector<IpAddress> host_;
  StreamOptions streams_;
  FileWatch certificate_files_;
  MonoTime certificate_retry_at_ = MonoTime::min();  // when the last renewal failed
  std::string certificate_error_;                    // why it did; empty: it did not
  std::mutex revoke_mutex_;
  mutable std::mutex published_mutex_;
  std::string admin_token_;  // guarded by published_mutex_, as the next
  LimitOptions limits_;
  std::atomic<bool> last_reload_ok_{true};
  std::atomic<bool> certificate_ok_{true};  // the last renewal was taken up
  std::atomic<bool> restart_needed_{false};
  std::atomic<uint64_t> config_loaded_s_{0};
  std::atomic<uint64_t> certificate_expires_s_{0};  // 0: there is no TLS

  std::unique_ptr<HandoverBoard> handovers_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<HttpServer> admin_;
  std::unique_ptr<ApiService> api_;
  std::unique_ptr<HttpServer> api_http_;  // null: there is no API
  std::unique_ptr<TriggerWatch> trigger_watch_;
};

}  // namespace turnpike
