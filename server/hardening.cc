#include "server/hardening.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <system_error>

#include "common/base/log.h"
#include "server/capabilities.h"
#include "server/landlock.h"
#include "server/sanitized.h"
#include "server/syscall_filter.h"

namespace turnpike {
namespace {

// Ports below this need CAP_NET_BIND_SERVICE, unless the host's administrator has lowered it.
constexpr uint16_t kFirstFreePort = 1024;

// How the log begins to say why the kernel does not help.
constexpr const char* kUnavailable = "unavailable: ";

// What getaddrinfo(3) reads each time, since webhooks go to names.
constexpr const char* kOfResolver[] = {"/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf",
                                       "/etc/gai.conf", "/etc/resolv.conf"};

// FilesOf returns every file that the server reads again while it runs, and cannot do without.
std::vector<std::string> FilesOf(const config::Config& config, const std::string& config_path) {
  std::vector<std::string> files = config.secret_files;
  for (const std::string& path :
       {config_path, config.tls.certificate, config.tls.key, config.metering.rates}) {
    if (!path.empty()) files.push_back(path);
  }
  return files;
}

// AddResolverFiles adds each by itself, not all of /etc. A link's target is replaced by rename, as
// systemd-resolved and NetworkManager do, so its directory is added.
void AddResolverFiles(std::vector<std::string>& readable) {
  for (const char* path : kOfResolver) {
    std::error_code error;
    readable.emplace_back(path);
    const auto target = std::filesystem::canonical(path, error);
    if (!error && target.parent_path() != "/etc") readable.push_back(target.parent_path());
  }
}

std::string RestrictFilesFor(const config::Config& config, const std::vector<std::string>& files) {
  if (!config.hardening.landlock) return "off";
  ReachableFiles reachable{.readable = ReadablePlaces(files),
                           .writable = {config.metering.directory}};
  const std::string& backups = config.metering.backup.directory;
  if (!backups.empty()) reachable.writable.push_back(backups);
  // Metrics tell of the process and of its host's start, and SQLite takes its seed from the device.
  for (const char* path : {"/proc", "/dev/urandom"}) reachable.readable.emplace_back(path);
  if (config.api.address.port != 0) {
    AddResolverFiles(reachable.readable);
    std::ranges::move(ReadablePlaces({config.api.webhook_authorities}),
                      std::back_inserter(reachable.readable));
  }
  if (kSanitized) reachable.readable.emplace_back("/");
  const auto abi = RestrictFiles(reachable);
  return abi ? "on, ABI " + std::to_string(*abi) : kUnavailable + abi.error();
}

std::string FilterFor(const config::Config& config) {
  if (!config.hardening.seccomp) return "off";
  const auto filtered = FilterSystemCalls();
  return filtered ? "on" : kUnavailable + filtered.error();
}

// CheckAccess tells what root could reach and the process, which has given that up, cannot.
std::expected<void, std::string> CheckAccess(const std::string& directory,
                                             const std::vector<std::string>& files) {
  if (access(directory.c_str(), R_OK | W_OK | X_OK) != 0) {
    return std::unexpected("metering.directory " + directory +
                           " is not writable without root's privileges (" + std::strerror(errno) +
                           "), which the server gives up at its start; let it belong to user " +
                           std::to_string(getuid()) + ", or run the server as its owner");
  }
  for (const std::string& path : files) {
    if (access(path.c_str(), R_OK) == 0) continue;
    Log(LogLevel::kWarning, "config_warning",
        {{"warning", path + " cannot be read again at a reload (" + std::strerror(errno) +
                         "): root's privileges are given up at the start"}});
  }
  return {};
}

}  // namespace

std::vector<std::string> ReadablePlaces(const std::vector<std::string>& files) {
  namespace fs = std::filesystem;
  std::vector<std::string> places;
  const auto add = [&](const fs::path& file) {
    const fs::path parent = file.parent_path();
    places.push_back(parent == file.root_path() ? file.string() : parent.string());
  };
  for (const std::string& file : files) {
    std::error_code error;
    const fs::path path = fs::absolute(file, error);
    if (error) continue;
    add(path.lexically_normal());
    const fs::path target = fs::canonical(path, error);
    if (!error) add(target);
  }
  return places;
}

std::expected<void, std::string> Harden(const config::Config& config,
                                        const std::string& config_path) {
  const std::vector<std::string> files = FilesOf(config, config_path);
  const bool low_ports =
      config.relay.ports.first < kFirstFreePort ||
      (config.admin.address.port != 0 && config.admin.address.port < kFirstFreePort) ||
      (config.api.address.port != 0 && config.api.address.port < kFirstFreePort);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const auto left = DropCapabilities(low_ports);
  if (auto reachable = CheckAccess(config.metering.directory, files); !reachable) return reachable;
  const std::string landlock = RestrictFilesFor(config, files);
  const std::string seccomp = FilterFor(config);
  const bool complete =
      left && !landlock.starts_with(kUnavailable) && !seccomp.starts_with(kUnavailable);
  Log(complete ? LogLevel::kInfo : LogLevel::kWarning, "hardened",
      {{"user", static_cast<uint64_t>(getuid())},
       {"capabilities", left ? *left : "not given up: " + left.error()},
       {"landlock", landlock},
       {"seccomp", seccomp},
       {"core_dumps", config.hardening.core_dumps ? "on" : "off"},
       {"sanitizer", kSanitized ? "in this build: it may read, run and trace" : "none"}});
  return {};
}

}  // namespace turnpike
