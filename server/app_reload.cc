// How a running server takes up a changed configuration or certificate.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/log.h"
#include "config/diff.h"
#include "server/app.h"
#include "server/io/clock.h"
#include "server/io/udp_socket.h"
#include "server/setup.h"

namespace turnpike {
namespace {

// Explained adds to a failure to read a file what the administrator cannot see in its permissions.
std::string Explained(std::string problem, bool landlock) {
  if (!landlock || !problem.contains(std::strerror(EACCES))) return problem;
  return problem +
         "; by hardening.landlock a server may read only the directories that its configuration "
         "named when it started";
}

// A worker that is stuck for longer than this takes the rules up when it goes on.
constexpr std::chrono::seconds kReloadPatience{2};

// A certificate that could not be read is tried again so often.
constexpr std::chrono::seconds kRetryInterval{10};

// WatchCertificate is from before the files are read: what changes after that is noticed.
FileWatch WatchCertificate(const config::Config& config) {
  FileWatch files;
  files.Watch({config.tls.certificate, config.tls.key});
  return files;
}

std::string Join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : "; ") + part;
  return text;
}

}  // namespace

ReloadReport App::Reload() {
  const std::lock_guard lock(reload_mutex_);
  ReloadReport report;
  auto loaded = loader_();
  if (loaded) {
    const config::Config wanted = ForHost(std::move(*loaded), HasIpv6());
    for (const config::Change& change : config::Diff(config_, wanted)) {
      (change.needs_restart ? report.needs_restart : report.changes).push_back(change.ToString());
    }
    if (auto adopted = Adopt(config::TakeReloadable(config_, wanted)); !adopted) {
      report = {.problems = {Explained(adopted.error(), config_.hardening.landlock)},
                .changes = {},
                .needs_restart = {}};
    }
  } else {
    for (const config::Problem& problem : loaded.error()) {
      report.problems.push_back(Explained(problem.ToString(), config_.hardening.landlock));
    }
  }
  NoteReload(report.ok());
  if (!report.ok()) {
    Log(LogLevel::kError, "config_reload_failed",
        {{"problems", Join(report.problems)}, {"kept", "the configuration before"}});
    return report;
  }
  restart_needed_ = !report.needs_restart.empty();
  Log(LogLevel::kInfo, "config_reloaded", {{"changes", Join(report.changes)}});
  if (restart_needed_) {
    Log(LogLevel::kWarning, "config_needs_restart", {{"changes", Join(report.needs_restart)}});
  }
  return report;
}

void App::ReloadChangedCertificate() {
  const std::lock_guard lock(reload_mutex_);
  const MonoTime now = ReadClocks().mono;
  // What was wrong may have been mended without a trace in the files: their mode, or the folder's.
  const bool again = !certificate_ok_ && now >= certificate_retry_at_;
  if (!certificate_files_.HasSettled() && !again) return;
  FileWatch files = WatchCertificate(config_);
  auto streams = MakeStreams(config_);
  const std::string error = streams ? "" : streams.error();
  // A new certificate says nothing of a configuration that was refused before.
  certificate_ok_ = error.empty();
  certificate_retry_at_ = now + kRetryInterval;
  if (error.empty()) {
    Serve(config_, std::move(files), std::move(*streams));
    Log(LogLevel::kInfo, "certificate_reloaded", {{"certificate", config_.tls.certificate}});
  } else if (error != certificate_error_) {
    Log(LogLevel::kError, "certificate_reload_failed",
        {{"error", error}, {"kept", "the certificate before"}});
  }
  certificate_error_ = error;
}

void App::NoteReload(bool ok) {
  last_reload_ok_ = ok;
  if (!ok) return;
  certificate_ok_ = true;
  certificate_error_.clear();
  const auto now = std::chrono::floor<std::chrono::seconds>(ReadClocks().wall);
  config_loaded_s_ = static_cast<uint64_t>(now.time_since_epoch().count());
}

void App::NoteCertificate() {
  if (streams_.tls == nullptr) return;
  const auto since_epoch = streams_.tls->expires_at().time_since_epoch();
  const int64_t expires = std::chrono::floor<std::chrono::seconds>(since_epoch).count();
  certificate_expires_s_ = static_cast<uint64_t>(std::max<int64_t>(0, expires));
}

std::expected<void, std::string> App::Adopt(config::Config config) {
  // All that can fail comes first.
  FileWatch files = WatchCertificate(config);
  auto streams = MakeStreams(config);
  if (!streams) return std::unexpected(streams.error());
  auto caps = MakeCaps(config);
  if (!caps) return std::unexpected(caps.error());
  auto api = MakeApiSettings(config);
  if (!api) return std::unexpected(api.error());

  SetToken(config.admin.token);
  SetLimits(config);
  connection_limits_->SetLimits(config.limits.connections, config.limits.connections_per_address);
  Serve(config, std::move(files), std::move(*streams));
  // Also without caps: the old ones then let go of whom they hold back.
  if (!config.caps.empty() || !config_.caps.empty()) ledger_->ReplaceCaps(std::move(*caps));
  drain_deadline_ = config.drain_deadline;
  if (api_ != nullptr) api_->SetSettings(std::move(*api));
  ConfigureLog(config.log.level, config.log.format);
  config_ = std::move(config);
  return {};
}

void App::Serve(const config::Config& config, FileWatch files, StreamOptions streams) {
  certificate_files_ = std::move(files);
  streams_ = std::move(streams);
  NoteCertificate();
  const TurnOptions turn = MakeTurnOptions(config, relays_, host_);
  std::vector<std::future<void>> applied;
  for (const auto& worker : workers_) applied.push_back(worker->Apply(turn, streams_));
  for (const auto& each : applied) each.wait_for(kReloadPatience);
}

std::expected<StreamOptions, std::string> App::MakeStreams(const config::Config& config) {
  StreamOptions streams = MakeStreamOptions(config);
  streams.limits = connection_limits_.get();
  streams.handovers = handovers_.get();
  const bool has_dtls = std::ranges::any_of(UdpListeners(config), &UdpListenOptions::dtls);
  if (!has_dtls && std::ranges::none_of(StreamListeners(config), &StreamListenOptions::tls)) {
    return streams;
  }
  const config::Config::Tls& tls = config.tls;
  // Made up anew, a certificate would make clients that have pinned it fail for nothing.
  if (streams_.tls != nullptr && tls.certificate.empty() && config_.tls.certificate.empty() &&
      tls.versions == config_.tls.versions) {
    streams.tls = streams_.tls;
    streams.dtls = streams_.dtls;
    return streams;
  }
  const auto offers = [&](config::TlsVersion version) {
    return std::ranges::count(tls.versions, version) != 0;
  };
  auto made = TlsContext::Make({.certificate = tls.certificate,
                                .key = tls.key,
                                .offers_12 = offers(config::TlsVersion::k12),
                                .offers_13 = offers(config::TlsVersion::k13)},
                               ReadClocks().wall);
  if (!made) return std::unexpected(made.error());
  if (has_dtls) {
    auto dtls = DtlsContext::Make((*made)->ToPem());
    if (!dtls) return std::unexpected(dtls.error());
    streams.dtls = std::move(*dtls);
  }
  for (const std::string& warning : (*made)->warnings()) {
    Log(LogLevel::kWarning, "tls_certificate_warning", {{"warning", warning}});
  }
  streams.tls = std::move(*made);
  return streams;
}

}  // namespace turnpike
