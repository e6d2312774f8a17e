#include "tools/turnpike/load_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>

#include "common/client/types.h"
#include "config/file.h"
#include "tools/load/clock.h"
#include "tools/load/random.h"
#include "tools/load/socket.h"
#include "tools/load/stamp.h"
#include "tools/load/udp_sender.h"
#include "tools/turnpike/token.h"

namespace turnpike {
namespace {

constexpr uint32_t kMostThreads = 256;
constexpr uint32_t kLargestPayload = 65'000;  // leaves room for the framing in one datagram

std::expected<void, std::string> SetServer(const ServerOptions& options, load::Plan& plan) {
  constexpr uint16_t kPort = 3478;
  const auto host = load::ParseHostPort(options.server);
  if (!host) return Bad("--server", host.error());
  plan.host = host->host;
  const auto ip = load::Resolve(host->host);
  if (!ip) return Bad("--server", ip.error());
  plan.servers.fill({*ip, host->port.value_or(kPort)});
  plan.servers[static_cast<size_t>(Transport::kTls)].port = options.tls_port;
  plan.servers[static_cast<size_t>(Transport::kDtls)].port = options.tls_port;
  if (!options.peer_address.empty()) {
    const auto peer = IpAddress::Parse(options.peer_address);
    if (!peer) return Bad("--peer-address", "`" + options.peer_address + "` is no IP address");
    plan.peer_ip = *peer;
    return {};
  }
  const auto source = load::SourceAddressFor(plan.servers[0]);
  if (!source) return Bad("--server", source.error());
  plan.peer_ip = *source;
  return {};
}

// SetTraffic makes the patterns of both directions.
std::expected<void, std::string> SetTraffic(const LoadOptions& options, load::Plan& plan) {
  const auto direction = load::ParseTraffic(options.direction);
  if (!direction) return Bad("--direction", direction.error());
  const bool up = *direction != load::Traffic::kDown;
  const bool down = *direction == load::Traffic::kDown || *direction == load::Traffic::kDuplex;
  plan.echo = *direction == load::Traffic::kEcho;
  std::vector<load::Pattern> patterns;
  if (options.packets_per_second > 0 || options.size > 0) {
    constexpr uint32_t kSize = 160;
    const uint32_t size = options.size > 0 ? options.size : kSize;
    if (size < load::kStampSize || size > kLargestPayload) {
      return Bad("--size", "use 20 (what the generator writes into a payload) to 65000 bytes");
    }
    if (options.packets_per_second <= 0) return Bad("--size", "needs --pps");
    const double flows = static_cast<double>(plan.sessions) * (up && down ? 2 : 1);
    const double period = 1e9 * flows / options.packets_per_second;
    if (period < 200 || period > 1e15) return Bad("--pps", "that rate makes no sense");
    patterns.push_back(load::ConstantPattern(Duration(std::llround(period)), size));
  } else {
    const auto profile = load::ParseProfile(options.profile);
    if (!profile) return Bad("--profile", profile.error());
    // Those of one session in five differ, at most.
    const uint32_t kinds = *profile == load::Profile::kMixed ? 5 : 1;
    for (uint32_t i = 0; i < kinds; ++i) patterns.push_back(load::PatternOf(*profile, i));
  }
  for (const load::Pattern& pattern : patterns) {
    load::SessionTraffic traffic;
    if (up) traffic[static_cast<size_t>(Direction::kClientToPeer)] = pattern;
    if (down) traffic[static_cast<size_t>(Direction::kPeerToClient)] = pattern;
    plan.traffic.push_back(std::move(traffic));
  }
  return {};
}

}  // namespace

std::expected<Duration, std::string> ReadDuration(std::string_view option,
                                                  const std::string& text) {
  if (text.empty() || text == "0") return Duration(0);
  const auto duration = ParseDuration(text);
  if (!duration) return Bad(option, duration.error());
  if (*duration > kLongestRun) return Bad(option, "use at most 7d");
  return *duration;
}

std::expected<TimeLimitedCredential, std::string> ReadCredential(const ServerOptions& options,
                                                                 Duration lifetime) {
  std::string secret = options.secret;
  if (!options.secret_file.empty()) {
    auto read = config::ReadSecretFile(options.secret_file);
    if (!read) return std::unexpected("--secret-file " + options.secret_file + " " + read.error());
    secret = std::move(*read);
  }
  TimeLimitedCredential credential{options.username, options.password};
  if (!secret.empty()) {
    const auto expiry = std::chrono::floor<std::chrono::seconds>(load::ReadWall()) +
                        std::chrono::ceil<std::chrono::seconds>(lifetime);
    credential = Mint(secret, options.account, options.label, expiry.time_since_epoch().count());
  }
  if (credential.username.empty()) {
    return std::unexpected("who logs in? give --user and --password, or --secret and --account");
  }
  if (credential.username.size() > kMaxUsernameSize) {
    return std::unexpected("the username is longer than 508 bytes");
  }
  return credential;
}

std::expected<load::Plan, std::string> StartPlan(const ServerOptions& server, const RunOptions& run,
                                                 uint32_t sessions) {
  load::Plan plan;
  plan.sessions = sessions;
  plan.threads = std::min(run.threads, sessions);
  const auto mix = load::ParseTransportMix(run.transport);
  if (!mix) return Bad("--transport", mix.error());
  plan.mix = *mix;
  const auto mode = load::ParseMode(run.mode);
  if (!mode) return Bad("--mode", mode.error());
  plan.mode = *mode;
  const auto settle = ReadDuration("--settle", run.settle);
  if (!settle) return std::unexpected(settle.error());
  plan.settle = *settle;
  const auto patience = ReadDuration("--patience", run.patience);
  if (!patience) return std::unexpected(patience.error());
  plan.patience = *patience;
  // A run of days needs a credential that outlives it: refreshes use it too.
  auto credential = ReadCredential(server, kLongestRun + std::chrono::hours(1));
  if (!credential) return std::unexpected(credential.error());
  plan.username = std::move(credential->username);
  plan.password = std::move(credential->password);
  if (const auto ok = SetServer(server, plan); !ok) return std::unexpected(ok.error());
  if (run.assert_billing && run.ledger.empty()) {
    return Bad("--assert-billing", "needs --ledger, the server's metering.directory");
  }
  if (!run.assert_billing && (!run.ledger.empty() || !run.metrics.empty())) {
    return std::unexpected("--ledger and --metrics compare nothing without --assert-billing");
  }
  plan.run = static_cast<uint32_t>(load::KernelRandom().U64());
  return plan;
}

std::expected<load::Plan, std::string> MakePlan(const LoadOptions& options) {
  auto plan = StartPlan(options.server, options.run, options.sessions);
  if (!plan) return plan;
  const auto ramp = ReadDuration("--ramp", options.ramp);
  if (!ramp) return std::unexpected(ramp.error());
  plan->ramp = *ramp;
  const auto duration = ReadDuration("--duration", options.duration);
  if (!duration) return std::unexpected(duration.error());
  plan->duration = *duration;
  const auto tick = ReadDuration("--tick", options.tick);
  if (!tick) return std::unexpected(tick.error());
  plan->tick = *tick;
  plan->churn = options.churn;
  plan->train = options.train;
  if (const auto ok = SetTraffic(options, *plan); !ok) return std::unexpected(ok.error());
  return plan;
}

void AddServerOptions(CLI::App& command, ServerOptions& options) {
  command.add_option("--server", options.server, "The server: turn.example:3478")
      ->type_name("HOST[:PORT]");
  command.add_option("--tls-port", options.tls_port, "The port of TLS and DTLS")
      ->capture_default_str();
  AddCredentialOptions(command, options, "load");
  command
      .add_option("--peer-address", options.peer_address,
                  "An address of this host that the server can reach; default: the one that this "
                  "host has towards the server")
      ->type_name("ADDRESS");
}

void AddCredentialOptions(CLI::App& command, ServerOptions& options, const std::string& account) {
  options.account = account;
  CLI::Option* const user = command.add_option("--user", options.username, "A static user");
  command.add_option("--password", options.password, "That user's password")->needs(user);
  CLI::Option* const secret =
      command
          .add_option("--secret", options.secret,
                      "A secret of the server's, to mint a time-limited credential with")
          ->excludes(user);
  command.add_option("--secret-file", options.secret_file, "A file that holds the secret")
      ->excludes(user)
      ->excludes(secret);
  command.add_option("--account", options.account, "The account of the minted credential")
      ->capture_default_str();
  command.add_option("--label", options.label, "The label of the minted credential");
}

void AddRunOptions(CLI::App& command, RunOptions& options) {
  command
      .add_option("--transport", options.transport,
                  "udp, tcp, tls or dtls between client and server, or weights: udp=8,tls=2")
      ->capture_default_str();
  command.add_option("--mode", options.mode, "channel or send: ChannelData, or Send and Data")
      ->capture_default_str();
  command.add_option("--threads", options.threads, "Threads of the generator")
      ->check(CLI::Range(1u, kMostThreads))
      ->capture_default_str();
  command.add_option("--settle", options.settle, "How long to wait for packets after the last one")
      ->capture_default_str();
  command.add_option("--patience", options.patience, "How long a session may take to be ready")
      ->capture_default_str();
  command
      .add_option("--json", options.json,
                  "Write the result to a file as well; - is standard "
                  "output, without the table")
      ->type_name("FILE");
  command
      .add_option("--hdr", options.hdr, "Write the latencies as an HdrHistogram text file (.hgrm)")
      ->type_name("FILE");
  command.add_option("--html", options.html, "Write a page with plots, which needs nothing else")
      ->type_name("FILE");
  command.add_option("--junit", options.junit, "Write the verdicts for a CI server")
      ->type_name("FILE");
  command
      .add_option("--threshold", options.thresholds,
                  "Fail unless it holds: 'loss<0.1%', 'p99<5ms', 'lateness-p99<1ms', "
                  "'server-cpu<3us'; may be repeated")
      ->type_name("CONDITION");
  command.add_option("--server-pid", options.server_pid,
                     "The server's process on this host: adds its CPU time and memory");
  command.add_flag("--assert-billing", options.assert_billing,
                   "Fail unless the server's ledger has the generator's bytes, session by session");
  command.add_option("--ledger", options.ledger, "The server's metering.directory")
      ->type_name("DIRECTORY");
  command
      .add_option("--metrics", options.metrics,
                  "The server's metrics page, to be compared too: its relayed bytes must grow "
                  "by the generator's (nobody else may use the server)")
      ->type_name("URL");
}

void AddLoadOptions(CLI::App& command, LoadOptions& options) {
  AddServerOptions(command, options.server);
  AddRunOptions(command, options.run);
  command.get_option("--server")->required();
  command.add_option("--sessions", options.sessions, "Clients, each with a peer of its own")
      ->check(CLI::Range(1u, kMostSessions))
      ->capture_default_str();
  command
      .add_option("--profile", options.profile,
                  "opus, g711, video-1.5m or mixed (one video to four opus)")
      ->capture_default_str();
  command.add_option("--pps", options.packets_per_second,
                     "Packets a second, over all sessions and directions, in place of a profile");
  command.add_option("--size", options.size, "Payload of those packets; default 160");
  command
      .add_option("--direction", options.direction,
                  "up, down, duplex, or echo: peers send back what they get")
      ->capture_default_str();
  command.add_option("--ramp", options.ramp,
                     "Open the sessions over this time, under traffic; default: open all first");
  command.add_option("--duration", options.duration, "How long traffic goes on, after the ramp")
      ->capture_default_str();
  command
      .add_option("--tick", options.tick,
                  "Packets leave at multiples of this time, those of a tick together; 0: each at "
                  "a time of its own")
      ->capture_default_str();
  command
      .add_option("--train", options.train,
                  "Packets of one flow that are due together leave in GSO trains of at most this")
      ->check(CLI::Range(uint32_t{1}, uint32_t{load::Train::kMostMessages}))
      ->capture_default_str();
  command.add_option("--churn", options.churn, "Sessions a second to close and replace");
  command
      .add_option("--hostile", options.hostile,
                  "In place of calls: bad-auth, no-permission, slow-reader or half-tls, --pps of "
                  "them a second; says what the server answered")
      ->type_name("KIND");
}

}  // namespace turnpike
