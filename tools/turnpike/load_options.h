// The options of `turnpike load`, and the plan that they make.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "tools/load/plan.h"
#include "tools/turnpike/token.h"

namespace CLI {
class App;
}

namespace turnpike {

// ServerOptions say where the server is and who the client is, for every command that sends.
struct ServerOptions {
  std::string server;
  uint16_t tls_port = 5349;
  std::string username;
  std::string password;
  std::string secret;
  std::string secret_file;
  std::string account = "load";
  std::string label;
  std::string peer_address;  // empty: the address that this host has towards the server
};

// RunOptions say how a run goes on and what comes of it, for every command that sends.
struct RunOptions {
  std::string transport = "udp";
  std::string mode = "channel";
  uint32_t threads = 1;
  std::string settle = "500ms";
  std::string patience = "10s";
  std::string json;
  std::string hdr;
  std::string html;
  std::string junit;
  std::vector<std::string> thresholds;
  int server_pid = 0;
  bool assert_billing = false;
  std::string ledger;
  std::string metrics;
};

// LoadOptions are those of `turnpike load`, as text.
struct LoadOptions {
  ServerOptions server;
  RunOptions run;
  uint32_t sessions = 100;
  std::string profile = "opus";
  double packets_per_second = 0;
  uint32_t size = 0;
  std::string direction = "echo";
  std::string ramp;
  std::string duration = "10s";
  std::string tick = "1ms";
  double churn = 0;
  uint32_t train = 64;
  std::string hostile;  // empty: honest clients
};

// AddCredentialOptions adds those of ServerOptions that say who the client is; `account` is the
// default account of a minted credential.
void AddCredentialOptions(CLI::App& command, ServerOptions& options, const std::string& account);

// ReadCredential makes the credential of these options; a minted one is good for `lifetime`. It
// fails with a sentence that names the option.
std::expected<TimeLimitedCredential, std::string> ReadCredential(const ServerOptions& options,
                                                                 Duration lifetime);

// AddServerOptions, AddRunOptions and AddLoadOptions add the options to a command; `options`
// outlives it.
void AddServerOptions(CLI::App& command, ServerOptions& options);
void AddRunOptions(CLI::App& command, RunOptions& options);
void AddLoadOptions(CLI::App& command, LoadOptions& options);

// kMostSessions and kLongestRun are what one run may have.
inline constexpr uint32_t kMostSessions = 100'000;
inline constexpr Duration kLongestRun = std::chrono::days(7);

// Bad is the error of an option with a value that will not do.
inline std::unexpected<std::string> Bad(std::string_view option, const std::string& why) {
  return std::unexpected(std::string(option) + ": " + why);
}

// ReadDuration reads the duration of an option, at most a week; empty text is 0. It fails with a
// sentence that names the option.
std::expected<Duration, std::string> ReadDuration(std::string_view option, const std::string& text);

// StartPlan makes the part of a plan that all commands have in common: server, credentials, peers
// and how `sessions` are opened. It resolves names, and fails with a sentence.
std::expected<load::Plan, std::string> StartPlan(const ServerOptions& server, const RunOptions& run,
                                                 uint32_t sessions);

// MakePlan fails with a sentence that names the option.
std::expected<load::Plan, std::string> MakePlan(const LoadOptions& options);

}  // namespace turnpike
