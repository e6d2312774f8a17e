#include "tools/turnpike/check_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>

#include "tools/check/check.h"
#include "tools/check/dns.h"
#include "tools/check/edges.h"
#include "tools/check/report.h"
#include "tools/load/clock.h"
#include "tools/load/plan.h"
#include "tools/turnpike/complain.h"
#include "tools/turnpike/http_client.h"
#include "tools/turnpike/load_options.h"

namespace turnpike {
namespace {

// Exit statuses. 2 is every command's for wrong usage.
constexpr int kPassed = 0;
constexpr int kFailed = 1;
constexpr int kDegraded = 3;

struct CheckOptions {
  std::vector<std::string> hosts;
  ServerOptions credentials;
  std::string edges_url;
  std::vector<std::string> profiles;
  std::string duration = "3s";
  std::string patience = "5s";
  double kbits = 100;
  std::string authorities = "/etc/ssl/certs/ca-certificates.crt";
  bool insecure = false;
  std::string json;
  bool dns = false;
  std::string dns_echo;
  std::string resolver;
};

std::expected<check::ProbeOptions, std::string> ReadProbeOptions(const CheckOptions& options) {
  check::ProbeOptions probe;
  const auto credential = ReadCredential(options.credentials, std::chrono::hours(1));
  if (!credential) return std::unexpected(credential.error());
  probe.credential = {credential->username, credential->password};
  for (const auto& [name, text, place] :
       {std::tuple{"--duration", &options.duration, &probe.duration},
        {"--timeout", &options.patience, &probe.patience}}) {
    const auto duration = ParseDuration(*text);
    if (!duration) return std::unexpected(std::string(name) + ": " + duration.error());
    if (*duration < std::chrono::milliseconds(100) || *duration > std::chrono::minutes(10)) {
      return std::unexpected(std::string(name) + ": use 100ms to 10m");
    }
    *place = *duration;
  }
  probe.kbits = options.kbits;
  probe.authorities = options.authorities;
  probe.insecure = options.insecure;
  return probe;
}

std::expected<std::vector<check::Edge>, std::string> ReadEdges(const CheckOptions& options) {
  std::vector<check::Edge> edges;
  for (const std::string& text : options.hosts) {
    const auto host = load::ParseHostPort(text);
    if (!host) return std::unexpected(text + ": " + host.error());
    check::Edge edge{.name = host->host, .region = "", .host = host->host};
    edge.udp_port = edge.tcp_port = host->port.value_or(3478);
    edge.tls_port = options.credentials.tls_port;
    edges.push_back(std::move(edge));
  }
  if (!options.edges_url.empty()) {
    const auto page = HttpGet(options.edges_url);
    if (!page) return std::unexpected("--edges: " + page.error());
    auto fetched = check::ParseEdges(*page);
    if (!fetched) return std::unexpected("--edges: " + options.edges_url + ": " + fetched.error());
    for (check::Edge& edge : *fetched) edges.push_back(std::move(edge));
  }
  if (edges.empty()) return std::unexpected("check what? name a HOST, or give --edges");
  return edges;
}

// ExitStatus is that of the worst of the profiles asked for (all, when none is named), at the
// nearest edge: the one that a call would use.
int ExitStatus(const check::Report& report, const std::vector<std::string>& profiles) {
  int worst = kPassed;
  for (const check::Verdict& verdict : check::JudgeAll(report.edges.front())) {
    if (!profiles.empty() && std::ranges::count(profiles, verdict.profile->name) == 0) continue;
    if (verdict.outcome == check::Outcome::kFail) return kFailed;
    if (verdict.outcome == check::Outcome::kDegraded) worst = kDegraded;
  }
  return worst;
}

check::Report Run(const std::vector<check::Edge>& edges, const check::ProbeOptions& options) {
  const bool is_terminal = isatty(STDERR_FILENO) == 1;
  const size_t all = edges.size() * check::kPathKinds.size();
  size_t done = 0;
  const auto show = [&](const std::string& what) {
    if (is_terminal) std::cerr << fmt::format("\r{}/{}  {} \x1b[K", done, all, what) << std::flush;
  };
  check::Report report{.created = load::ReadWall(), .edges = {}};
  for (const check::Edge& edge : edges) {
    show(edge.name);
    report.edges.push_back(
        check::CheckEdge(edge, options, {.on_path = [&](const check::PathResult& path) {
                           ++done;
                           show(edge.name + ": " + check::PathLabel(path.kind) +
                                (path.failure() != nullptr ? " failed" : ""));
                         }}));
  }
  if (is_terminal) std::cerr << "\r\x1b[K" << std::flush;
  check::SortByDistance(report.edges);
  return report;
}

int Check(const CheckOptions& options) {
  const auto edges = ReadEdges(options);
  if (!edges) return Complain(edges.error(), "check");
  const auto probe = ReadProbeOptions(options);
  if (!probe) return Complain(probe.error(), "check");
  const check::Report report = Run(*edges, *probe);
  if (options.json == "-") {
    check::WriteJson(report, std::cout);
  } else {
    check::WriteTable(report, std::cout);
  }
  std::cout.flush();
  bool ok = std::cout.good();
  if (!options.json.empty() && options.json != "-") {
    std::ofstream file(options.json);
    check::WriteJson(report, file);
    file.flush();
    ok = ok && file.good();
    if (!file.good()) return Complain("cannot write " + options.json, "check");
  }
  return ok ? ExitStatus(report, options.profiles) : kFailed;
}

std::expected<TransportAddress, std::string> ResolverOf(const CheckOptions& options) {
  constexpr const char* kFile = "/etc/resolv.conf";
  if (options.resolver.empty()) {
    std::ifstream file(kFile);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto first = check::FirstResolver(text);
    if (!first) return std::unexpected(std::string(kFile) + " names no server; use --resolver");
    return *first;
  }
  const auto ip = IpAddress::Parse(options.resolver);
  const auto address = ip ? TransportAddress{*ip, 53} : TransportAddress::Parse(options.resolver);
  if (!address) return std::unexpected("--resolver: `" + options.resolver + "` is no address");
  return *address;
}

// CheckDns looks up each host with this host's network in the query, and tells what comes back.
int CheckDns(const CheckOptions& options) {
  const auto patience = ParseDuration(options.patience);
  if (!patience) return Complain("--timeout: " + patience.error(), "check");
  const auto resolver = ResolverOf(options);
  if (!resolver) return Complain(resolver.error(), "check");
  if (options.hosts.empty() && options.dns_echo.empty()) {
    return Complain("--dns needs a HOST to look up: the name that edges are chosen by", "check");
  }
  int status = kPassed;
  for (const std::string& host : options.hosts) {
    const auto answer = check::AskResolver(*resolver, host, check::RecordType::kA, *patience);
    if (!answer) return Complain(answer.error(), "check");
    std::cout << host << " by " << resolver->ToString() << "\n  " << check::Conclude(*answer)
              << "\n";
    const bool passed = answer->subnet && answer->subnet->scope_prefix > 0;
    if (!passed) status = answer->code == 0 ? kDegraded : kFailed;
  }
  if (options.dns_echo.empty()) {
    std::cout << "What a zone's server itself is told only that server knows: with a TXT record of "
                 "yours\nthat echoes it, give its name as --dns-echo. To choose an edge without "
                 "DNS: --edges.\n";
    return status;
  }
  const auto echo =
      check::AskResolver(*resolver, options.dns_echo, check::RecordType::kTxt, *patience);
  if (!echo) return Complain(echo.error(), "check");
  if (echo->texts.empty()) return Complain(options.dns_echo + " has no TXT record", "check");
  for (const std::string& text : echo->texts) {
    std::cout << options.dns_echo << " says: " << check::Printable(text) << "\n";
  }
  return status;
}

void AddOptions(CLI::App& command, CheckOptions& options) {
  command.add_option("HOST", options.hosts, "Servers to check: turn.example, 203.0.113.7:3478")
      ->type_name("HOST[:PORT]...");
  AddCredentialOptions(command, options.credentials, "check");
  command.add_option("--tls-port", options.credentials.tls_port, "The port of TLS")
      ->capture_default_str();
  command
      .add_option("--edges", options.edges_url,
                  "Check the edges that a Turnpike API lists there: http://HOST/v1/edges")
      ->type_name("URL");
  std::vector<std::string> names;
  for (const check::Profile& each : check::Profiles()) names.push_back(each.name);
  command
      .add_option("--profile", options.profiles,
                  "Let this profile decide the exit status; may be repeated; default: all")
      ->check(CLI::IsMember(names));
  command.add_option("--duration", options.duration, "How long to measure each path")
      ->capture_default_str();
  command.add_option("--timeout", options.patience, "How long each step may take")
      ->capture_default_str();
  command.add_option("--rate", options.kbits, "What to send while measuring, in kbit/s")
      ->check(CLI::Range(8.0, 10'000.0))
      ->capture_default_str();
  command.add_option("--ca", options.authorities, "A PEM file: who may vouch for the certificate")
      ->type_name("FILE")
      ->check(CLI::ExistingFile)
      ->capture_default_str();
  command.add_flag("--insecure", options.insecure, "Go on after a certificate was refused");
  command
      .add_option("--json", options.json,
                  "Write the report for support as well; - is standard output, without the table")
      ->type_name("FILE");
  CLI::Option* const dns =
      command.add_flag("--dns", options.dns,
                       "Look HOST up instead, and tell whether this host's resolver passes on "
                       "where clients are (EDNS Client Subnet)");
  command
      .add_option("--dns-echo", options.dns_echo,
                  "A name whose TXT record says what its server was told")
      ->type_name("NAME")
      ->needs(dns);
  command.add_option("--resolver", options.resolver, "Ask this one; default: of /etc/resolv.conf")
      ->type_name("ADDRESS[:PORT]")
      ->needs(dns);
}

// ProfileTable renders the thresholds for --help.
std::string ProfileTable() {
  std::string table;
  for (const check::Profile& each : check::Profiles()) {
    table += fmt::format("  {:<14} rtt < {:g} ms", each.name, each.rtt_ms);
    if (each.jitter_ms) table += fmt::format(", jitter < {:g} ms", *each.jitter_ms);
    if (each.loss_percent) table += fmt::format(", loss < {:g} %", *each.loss_percent);
    table += fmt::format(", {:g} kbit/s", each.kbits);
    for (const auto& grade : each.grades) {
      table += fmt::format("{} {} < {:g} ms", &grade == each.grades.data() ? ";" : ",", grade.name,
                           grade.rtt_ms);
    }
    table += "\n";
  }
  return table;
}

}  // namespace

void AddCheckCommand(CLI::App& app, int* exit_status) {
  CLI::App* const command = app.add_subcommand(
      "check", "Test the network to a relay: what works, how well, and what to open");
  const auto options = std::make_shared<CheckOptions>();
  AddOptions(*command, *options);
  command->footer(
      "Two allocations of the relay meet there, so each packet travels from here to the relay and\n"
      "back: its time is a round trip, its loss counts both ways. Any TURN server will do.\n"
      "\n"
      "Exit status: 0 the profiles pass; 3 they pass, but only over TCP or TLS; 1 one fails, at "
      "the\n"
      "nearest edge; 2 wrong usage. With --dns: 0 the network is passed on and used; 3 it is not; "
      "1 no\n"
      "answer. Thresholds:\n" +
      ProfileTable() +
      "\n"
      "Examples:\n"
      "  turnpike check turn.example --user alice --password s3cret\n"
      "  turnpike check turn.example --secret-file secret --profile spoke --json report.json\n"
      "  turnpike check --edges http://127.0.0.1:8080/v1/edges --user alice --password s3cret");
  command->callback([options, exit_status] {
    *exit_status = options->dns ? CheckDns(*options) : Check(*options);
  });
}

}  // namespace turnpike
