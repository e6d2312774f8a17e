// turnpiked: the command line of the server.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "common/base/log.h"
#include "common/base/version.h"
#include "config/config.h"
#include "server/app.h"
#include "server/hardening.h"
#include "server/health_check.h"
#include "server/heap.h"
#include "server/io/service_manager.h"
#include "server/process.h"
#include "server/supervisor.h"

namespace turnpike {
namespace {

constexpr const char* kDefaultPath = "/etc/turnpike/turnpike.yaml";

int Fail(const std::string& sentence) {
  std::fprintf(stderr, "turnpiked: %s\n", EscapeText(sentence).c_str());
  return 1;
}

int FailConfig(const std::vector<config::Problem>& problems) {
  for (const config::Problem& problem : problems) {
    std::fprintf(stderr, "%s\n", problem.ToString().c_str());
  }
  return 1;
}

void PrintSummary(const std::string& path, const config::Config& config) {
  std::printf("%s: ok\n", path.c_str());
  for (const config::Listener& listener : config.listen) {
    std::printf("listen %s %s\n", std::string(TransportName(listener.transport)).c_str(),
                listener.address.ToString().c_str());
  }
  std::printf("relay ports %u-%u, %zu addresses configured\n", config.relay.ports.first,
              config.relay.ports.last, config.relay.addresses.size());
  std::printf("realm %s, %zu secrets, %zu users\n", config.auth.realm.c_str(),
              config.auth.secrets.size(), config.auth.users.size());
  std::printf("metering in %s, admin on %s\n", config.metering.directory.c_str(),
              config.admin.address.ToString().c_str());
}

int Serve(const std::string& path, const config::Config& config) {
  ConfigureLog(config.log.level, config.log.format);
  BlockSignals();
  ReturnLargeBuffers();
  if (!config.hardening.core_dumps) DisableCoreDumps();
  RaiseDescriptorLimit();
  const ServiceManager manager = ServiceManager::FromEnvironment();
  auto app = App::Start(
      config, [path] { return config::Load(path); }, [&] { return Harden(config, path); });
  if (!app) return Fail(app.error());
  Supervisor(**app, manager).Run();
  // Usage that the database did not take is safe in the slot file, so this is a clean end all the
  // same; the log has said so.
  (*app)->Stop();
  return 0;
}

int CheckRunningServer(const config::Config& config) {
  const auto health = CheckHealth(config);
  if (!health) return Fail(health.error());
  std::printf("healthy: %s\n", health->c_str());
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App cli("turnpiked, a STUN and TURN relay that knows what it relayed", "turnpiked");
  std::string path;
  bool check_only = false;
  bool check_health = false;
  cli.add_option("--config", path,
                 "The configuration file; without it " + std::string(kDefaultPath))
      ->type_name("FILE");
  cli.add_flag("--check-config", check_only, "Check the configuration and exit");
  cli.add_flag(
         "--healthcheck", check_health,
         "Ask the server that runs with this configuration for a STUN Binding; exit 0 when it "
         "answers")
      ->excludes("--check-config");
  cli.set_version_flag("--version", std::string("turnpiked ") + kVersion);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error) == 0 ? 0 : 2;  // 0: --help and --version; 2 as every command has it
  }

  if (path.empty()) {
    if (access(kDefaultPath, R_OK) != 0) {
      return Fail(std::string("no configuration: name one with --config FILE, or write ") +
                  kDefaultPath);
    }
    path = kDefaultPath;
  }
  const auto config = config::Load(path);
  if (!config) return FailConfig(config.error());
  if (check_health) return CheckRunningServer(*config);
  if (!check_only) return Serve(path, *config);
  PrintSummary(path, *config);
  return 0;
}

}  // namespace
}  // namespace turnpike

// An exception that nobody expects ends the process with what it says: nothing better is known.
// NOLINTNEXTLINE(bugprone-exception-escape)
int main(int argc, char** argv) { return turnpike::Main(argc, argv); }
