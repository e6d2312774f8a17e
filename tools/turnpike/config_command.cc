#include "tools/turnpike/config_command.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "config/dns_zone.h"
#include "tools/turnpike/allowlist_command.h"
#include "tools/turnpike/complain.h"

namespace turnpike {
namespace {

int Check(const std::string& path) {
  if (!LoadOrPrintProblems(path)) return 1;
  std::cout << path << ": ok\n";
  return 0;
}

int PrintZone(const std::string& path, const std::string& domain) {
  const auto config = LoadOrPrintProblems(path);
  if (!config) return 1;
  const auto zone = config::DnsZone(*config, domain);
  if (!zone) return Complain(zone.error());
  std::cout << *zone << std::flush;
  return std::cout ? 0 : 1;
}

void AddDnsCommand(CLI::App& config, int* exit_status) {
  CLI::App* const command = config.add_subcommand(
      "dns", "Print the DNS records of the fleet: A, AAAA, SRV and NAPTR (RFC 5928)");
  const auto path = std::make_shared<std::string>();
  const auto domain = std::make_shared<std::string>();
  command->add_option("FILE", *path, "The configuration file")->required();
  command->add_option("--domain", *domain, "The zone, such as turn.example.com")->required();
  command->callback([=] { *exit_status = PrintZone(*path, *domain); });
}

}  // namespace

std::optional<config::Config> LoadOrPrintProblems(const std::string& path) {
  auto config = config::Load(path);
  if (config) return std::move(*config);
  for (const config::Problem& problem : config.error()) std::cerr << problem.ToString() << "\n";
  return std::nullopt;
}

void AddConfigCommand(CLI::App& app, int* exit_status) {
  CLI::App* const command =
      app.add_subcommand("config", "Print or check turnpiked's configuration");
  command->require_subcommand(1);
  CLI::App* const reference = command->add_subcommand(
      "reference", "Print a configuration file with every key, its default and its meaning");
  const auto environment = std::make_shared<bool>(false);
  reference->add_flag("--environment", *environment,
                      "Print one that takes every key from an environment variable");
  reference->callback([environment, exit_status] {
    std::cout << (*environment ? config::EnvironmentReference() : config::Reference());
    *exit_status = 0;
  });
  CLI::App* const check =
      command->add_subcommand("check", "Say everything that is wrong in a file");
  const auto path = std::make_shared<std::string>();
  check->add_option("FILE", *path, "The configuration file")->required();
  check->callback([path, exit_status] { *exit_status = Check(*path); });
  AddAllowlistCommand(*command, exit_status);
  AddDnsCommand(*command, exit_status);
  command->footer(
      "Examples:\n"
      "  turnpike config reference > turnpike.yaml\n"
      "  turnpike config allowlist turnpike.yaml --format csv\n"
      "  turnpike config dns turnpike.yaml --domain turn.example.com\n"
      "  turnpike config check turnpike.yaml");
}

}  // namespace turnpike
