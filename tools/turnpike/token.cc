#include "tools/turnpike/token.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <expected>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/base/time.h"
#include "common/net/transport_address.h"
#include "config/file.h"
#include "tools/turnpike/complain.h"
#include "tools/turnpike/config_command.h"

namespace turnpike {
namespace {

constexpr size_t kMaxNameBytes = 128;      // an account or a label, as session records hold them
constexpr size_t kMaxUsernameBytes = 508;  // RFC 8489 §14.3

struct TokenOptions {
  std::string secret;
  std::string secret_file;
  std::string config_file;
  std::string account;
  std::string label;
  std::string ttl = "24h";
  std::string host;
  uint16_t port = 0;  // 0: those of the listeners
  std::string format = "text";
};

// Request is what the options ask for, checked.
struct Request {
  std::string secret;
  std::string host;
  std::vector<config::Listener> listeners;
  std::chrono::seconds ttl;
};

std::expected<std::chrono::seconds, std::string> ReadTtl(const std::string& text) {
  constexpr auto kLongest = std::chrono::days(366);
  const auto ttl = ParseDuration(text);
  if (!ttl) return std::unexpected("--ttl: " + ttl.error());
  if (*ttl < std::chrono::seconds(1) || *ttl > kLongest) {
    return std::unexpected("--ttl: use 1s to 366d");
  }
  return std::chrono::floor<std::chrono::seconds>(*ttl);
}

std::expected<std::string, std::string> ReadSecret(const TokenOptions& options,
                                                   const config::Config* config) {
  if (!options.secret.empty()) return options.secret;
  if (!options.secret_file.empty()) {
    auto secret = config::ReadSecretFile(options.secret_file);
    if (!secret)
      return std::unexpected("--secret-file " + options.secret_file + " " + secret.error());
    return secret;
  }
  if (config == nullptr) {
    return std::unexpected("which secret? give --secret, --secret-file or --config");
  }
  if (config->auth.secrets.empty()) {
    return std::unexpected(options.config_file +
                           " has no auth.secrets, so the server takes no time-limited credentials");
  }
  return config->auth.secrets.front();
}

// HostOf returns where clients find the server of `config`: an address that it names, or else the
// name of this host, which is the server's when the command runs there.
std::string HostOf(const config::Config& config) {
  for (const config::Listener& listener : config.listen) {
    if (!listener.address.ip.is_unspecified()) return listener.address.ip.ToString();
  }
  for (const config::RelayAddressConfig& address : config.relay.addresses) {
    if (address.advertise) return address.advertise->ToString();
  }
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

std::expected<void, std::string> CheckNames(const TokenOptions& options) {
  if (options.account.empty()) return std::unexpected("--account: an account needs a name");
  if (options.account.contains(':')) {
    return std::unexpected(
        "--account: a colon separates account and label, so an account has none");
  }
  if (options.account.size() > kMaxNameBytes || options.label.size() > kMaxNameBytes) {
    return std::unexpected("--account and --label: use at most 128 bytes each");
  }
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (std::ranges::any_of(options.account + options.label, is_control)) {
    return std::unexpected("--account and --label: use printable text");
  }
  return {};
}

// CheckHost tells a name or an address from what else people paste: a URI, or a port behind a
// colon.
std::expected<void, std::string> CheckHost(std::string_view host) {
  const auto is_in_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  };
  if (host.empty() || IpAddress::Parse(host) || std::ranges::all_of(host, is_in_name)) return {};
  return std::unexpected("--host: give a name or an address alone; --port changes the port");
}

std::expected<Request, std::string> RequestOf(const TokenOptions& options) {
  if (const auto names = CheckNames(options); !names) return std::unexpected(names.error());
  if (const auto host = CheckHost(options.host); !host) return std::unexpected(host.error());
  const auto ttl = ReadTtl(options.ttl);
  if (!ttl) return std::unexpected(ttl.error());
  std::optional<config::Config> config;
  if (!options.config_file.empty()) {
    config = LoadOrPrintProblems(options.config_file);
    if (!config) return std::unexpected("the configuration cannot be used");
  }
  const auto secret = ReadSecret(options, config ? &*config : nullptr);
  if (!secret) return std::unexpected(secret.error());
  const config::Config served = config ? *config : config::Defaults();
  Request request{*secret, options.host.empty() ? HostOf(served) : options.host, served.listen,
                  *ttl};
  if (options.port != 0) {
    for (config::Listener& listener : request.listeners) listener.address.port = options.port;
  }
  return request;
}

std::string AsJson(const TimeLimitedCredential& credential, const Request& request,
                   const std::vector<std::string>& uris) {
  const nlohmann::ordered_json json = {{"username", credential.username},
                                       {"password", credential.password},
                                       {"ttl", request.ttl.count()},
                                       {"uris", uris}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string AsText(const TimeLimitedCredential& credential, const std::vector<std::string>& uris) {
  std::string text =
      "username: " + credential.username + "\npassword: " + credential.password + "\nuris:";
  for (const std::string& uri : uris) text += " " + uri;
  return text;
}

int Run(const TokenOptions& options) {
  const auto request = RequestOf(options);
  if (!request) return Complain(request.error(), "token");
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const int64_t expiry = (now + request->ttl).time_since_epoch().count();
  const TimeLimitedCredential credential =
      Mint(request->secret, options.account, options.label, expiry);
  if (credential.username.size() > kMaxUsernameBytes) {
    return Complain("the username would be longer than 508 bytes", "token");
  }
  const std::vector<std::string> uris = Uris(request->host, request->listeners);
  std::cout << (options.format == "json" ? AsJson(credential, *request, uris)
                                         : AsText(credential, uris))
            << "\n";
  return 0;
}

}  // namespace

std::vector<std::string> Uris(std::string_view host,
                              const std::vector<config::Listener>& listeners) {
  const auto address = IpAddress::Parse(host);
  const std::string name =
      address && !address->is_v4() ? "[" + std::string(host) + "]" : std::string(host);
  std::vector<std::string> uris;
  for (const config::Listener& listener : listeners) {
    const bool is_secure =
        listener.transport == Transport::kTls || listener.transport == Transport::kDtls;
    std::string uri = (is_secure ? "turns:" : "turn:") + name + ":" +
                      std::to_string(listener.address.port) +
                      "?transport=" + (IsStream(listener.transport) ? "tcp" : "udp");
    if (std::ranges::find(uris, uri) == uris.end()) uris.push_back(std::move(uri));
  }
  return uris;
}

void AddTokenCommand(CLI::App& app, int* exit_status) {
  CLI::App* const command =
      app.add_subcommand("token", "Mint a time-limited credential for a WebRTC client");
  const auto options = std::make_shared<TokenOptions>();
  CLI::Option* const secret =
      command->add_option("--secret", options->secret,
                          "A secret of auth.secrets. Other users of this host can see it in the "
                          "list of processes; the next two options keep it out");
  command->add_option("--secret-file", options->secret_file, "A file that holds the secret")
      ->excludes(secret);
  command->add_option("--config", options->config_file,
                      "The server's configuration: its newest secret and its listeners");
  command->add_option("--account", options->account, "The account that pays")->required();
  command->add_option("--label", options->label, "Tells this use from others in reports");
  command->add_option("--ttl", options->ttl, "How long the credential is good")
      ->capture_default_str();
  command->add_option("--host", options->host,
                      "Name or address of the server in the URIs; default: what --config names, or "
                      "this host's name");
  command->add_option("--port", options->port, "Port in the URIs, where it is not the listener's")
      ->check(CLI::Range(1, 65535));
  command->add_option("--format", options->format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->footer(
      "Examples:\n"
      "  turnpike token --secret-file /run/secrets/turn --account acme --format json\n"
      "  turnpike token --config turnpike.yaml --account acme --label web --ttl 1h "
      "--host turn.example.com");
  command->callback([options, exit_status] { *exit_status = Run(*options); });
}

}  // namespace turnpike
