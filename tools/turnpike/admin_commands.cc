#include "tools/turnpike/admin_commands.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/time.h"
#include "tools/turnpike/complain.h"
#include "tools/turnpike/http_client.h"
#include "tools/turnpike/text_table.h"

namespace turnpike {
namespace {

using nlohmann::json;

// Server is where to ask, and the token.
struct Server {
  std::string url = "http://127.0.0.1:9641";
  std::string token;
};

// Ask returns the server's answer; nullopt after it has said on standard error what is wrong.
std::optional<json> Ask(const Server& server, std::string method, std::string path,
                        const json& body = {}) {
  const auto answer = Exchange({.url = server.url,
                                .method = std::move(method),
                                .path = std::move(path),
                                .token = server.token,
                                .body = body.is_null() ? "" : body.dump()});
  if (!answer) {
    Complain(answer.error());
    return std::nullopt;
  }
  json document = json::parse(answer->body, nullptr, false);
  if (document.is_object() && answer->status < 400) return document;
  Complain(document.is_object() && document.contains("error")
               ? document["error"].get<std::string>()
               : fmt::format("{} answers with status {}", server.url, answer->status));
  if (document.is_object() && document.contains("problems")) {
    for (const json& problem : document["problems"])
      std::cerr << problem.get<std::string>() << "\n";
  }
  return std::nullopt;
}

void AddServerOptions(CLI::App* command, const std::shared_ptr<Server>& server) {
  command
      ->add_option("--admin", server->url, "The server's admin address; without it " + server->url)
      ->type_name("URL")
      ->envname("TURNPIKE_ADMIN");
  command->add_option("--token", server->token, "The server's admin.token")
      ->type_name("TOKEN")
      ->envname("TURNPIKE_ADMIN_TOKEN");
}

struct ListOptions {
  std::string account, username, label, transport, address;
  std::string sort = "rate";
  uint32_t limit = 50;
  bool watch = false;
  bool as_json = false;
};

std::string Query(const ListOptions& options) {
  std::string query = fmt::format("?sort={}&limit={}", EncodeQuery(options.sort), options.limit);
  for (const auto& [name, value] : {std::pair{"account", &options.account},
                                    {"username", &options.username},
                                    {"label", &options.label},
                                    {"transport", &options.transport},
                                    {"address", &options.address}}) {
    if (!value->empty()) query += fmt::format("&{}={}", name, EncodeQuery(*value));
  }
  return query;
}

std::string Rate(const json& bytes) {
  if (!bytes.is_number()) return "-";
  const double kbit = bytes.get<double>() * 8 / 1000;
  return kbit < 10'000 ? fmt::format("{:.0f} kbit/s", kbit)
                       : fmt::format("{:.1f} Mbit/s", kbit / 1000);
}

std::string Summary(const json& document, size_t shown) {
  const auto count = document["sessions"].get<uint64_t>();
  std::string text = fmt::format("{} session{}, {}", count, count == 1 ? "" : "s",
                                 Rate(document["bytes_per_second"]));
  if (count > shown) text += fmt::format("; {} shown", shown);
  return text + "\n";
}

// Sessions renders the table of at most `most` sessions, and how many they are.
std::string Sessions(const json& document, size_t most, size_t* shown) {
  std::vector<std::vector<std::string>> rows = {{"SESSION", "ACCOUNT", "LABEL", "CLIENT", "STARTED",
                                                 "FROM CLIENT", "TO CLIENT", "BYTES", "DROPPED"}};
  for (const json& row : document["rows"]) {
    if (rows.size() > most) break;
    rows.push_back(
        {row["session_id"], row["account"], row["label"],
         row["transport"].get<std::string>() + " " + row["client_address"].get<std::string>(),
         row["started_at"].get<std::string>().substr(0, 19) + "Z",
         Rate(row["client_to_peer_bytes_per_second"]), Rate(row["peer_to_client_bytes_per_second"]),
         std::to_string(row["billable_bytes"].get<uint64_t>()),
         std::to_string(row["dropped_packets"].get<uint64_t>())});
  }
  *shown = rows.size() - 1;
  return *shown > 0 ? TextTable(rows, 5) : "";
}

std::string Render(const json& document) {
  size_t shown = 0;
  const std::string table = Sessions(document, SIZE_MAX, &shown);
  return table + Summary(document, shown);
}

// Picture is what a terminal shows until the next one: as many sessions as there are lines for.
std::string Picture(const json& document) {
  winsize size{};
  const bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 3;
  size_t shown = 0;
  const std::string table = Sessions(document, is_known ? size.ws_row - 3u : SIZE_MAX, &shown);
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return "\x1b[H\x1b[2J" + FormatRfc3339(now) + "  " + Summary(document, shown) + table;
}

int List(const Server& server, const ListOptions& options) {
  constexpr std::chrono::seconds kRefresh{2};
  while (true) {
    const auto document = Ask(server, "GET", "/v1/sessions" + Query(options));
    if (!document) return 1;
    const bool replaces = options.watch && isatty(STDOUT_FILENO) != 0;
    std::cout << (options.as_json ? document->dump() + "\n"
                  : replaces      ? Picture(*document)
                                  : Render(*document))
              << std::flush;
    if (!options.watch || !std::cout) return std::cout ? 0 : 1;
    std::this_thread::sleep_for(kRefresh);
  }
}

// Amount renders what is used or allowed, in the unit of the row.
std::string AmountOf(const json& row, const char* member) {
  const auto value = row[member].get<uint64_t>();
  const std::string unit = row["unit"];
  if (unit == "bit/s") return Rate(value / 8);
  return unit.empty() ? std::to_string(value) : fmt::format("{} {}", value, unit);
}

int ListLimits(const Server& server, bool as_json) {
  const auto document = Ask(server, "GET", "/v1/limits");
  if (!document) return 1;
  std::vector<std::vector<std::string>> rows = {{"LIMIT", "MOST BY", "USED", "OF", "RATIO"}};
  for (const json& row : (*document)["rows"]) {
    rows.push_back({row["limit"], row["who"], AmountOf(row, "used"), AmountOf(row, "of"),
                    fmt::format("{:.1f} %", row["ratio"].get<double>() * 100)});
  }
  std::cout << (as_json ? document->dump() + "\n" : TextTable(rows, 2));
  return std::cout ? 0 : 1;
}

void AddLimits(CLI::App& app, int* exit_status) {
  const auto server = std::make_shared<Server>();
  const auto as_json = std::make_shared<bool>(false);
  CLI::App* const command =
      app.add_subcommand("limits", "How much of each limit is in use, and by whom most");
  AddServerOptions(command, server);
  command->add_flag("--json", *as_json, "Print what the server answers");
  command->callback(
      [server, as_json, exit_status] { *exit_status = ListLimits(*server, *as_json); });
}

void AddSessions(CLI::App& app, int* exit_status) {
  const auto server = std::make_shared<Server>();
  const auto options = std::make_shared<ListOptions>();
  CLI::App* const command = app.add_subcommand("sessions", "Sessions that live, and ending them");
  AddServerOptions(command, server);
  command->add_option("--account", options->account, "Only this account");
  command->add_option("--username", options->username, "Only this username");
  command->add_option("--label", options->label, "Only this label");
  command->add_option("--transport", options->transport, "Only udp, tcp, tls or dtls");
  command->add_option("--address", options->address, "Only this client or relayed address");
  command->add_option("--sort", options->sort, "rate (top talkers), bytes or age")
      ->capture_default_str();
  command->add_option("--limit", options->limit, "Rows to show")->capture_default_str();
  command->add_flag("--watch", options->watch, "Show it anew every two seconds");
  command->add_flag("--json", options->as_json, "Print what the server answers");
  CLI::App* const kill = command->add_subcommand("kill", "End a session at once");
  const auto id = std::make_shared<std::string>();
  kill->add_option("ID", *id, "The session's id")->required();
  kill->fallthrough();
  kill->callback([server, id, exit_status] {
    const auto answer = Ask(*server, "DELETE", "/v1/sessions/" + EncodeQuery(*id));
    if (answer) std::cout << "killed " << *id << "\n";
    *exit_status = answer ? 0 : 1;
  });
  command->callback([command, server, options, exit_status] {
    if (command->get_subcommands().empty()) *exit_status = List(*server, *options);
  });
  command->footer(
      "Examples:\n"
      "  turnpike sessions --token \"$TOKEN\" --sort bytes --account acme\n"
      "  turnpike sessions --token \"$TOKEN\" --watch\n"
      "  turnpike sessions kill 019f7f2c-0d4e-7a51-8c1d-2f6b7e0a9c55 --token \"$TOKEN\"");
}

struct RevokeOptions {
  std::string username, account, label, until;
  std::string duration = "24h";
};

int Revoke(const Server& server, const RevokeOptions& options) {
  json body = json::object();
  for (const auto& [name, value] : {std::pair{"username", &options.username},
                                    {"account", &options.account},
                                    {"label", &options.label}}) {
    if (!value->empty()) body[name] = *value;
  }
  body["until"] = options.until;
  if (options.until.empty()) {
    const auto duration = ParseDuration(options.duration);
    if (!duration) return Complain("--for: " + duration.error());
    const auto until =
        std::chrono::ceil<std::chrono::seconds>(std::chrono::system_clock::now() + *duration);
    body["until"] = FormatRfc3339(until);
  }
  const auto answer = Ask(server, "POST", "/v1/credentials/revoke", body);
  if (!answer) return 1;
  std::cout << "revoked until " << (*answer)["until"].get<std::string>() << ", "
            << (*answer)["sessions_ended"].get<uint64_t>() << " sessions ended\n";
  return 0;
}

void AddCredentials(CLI::App& app, int* exit_status) {
  const auto server = std::make_shared<Server>();
  const auto options = std::make_shared<RevokeOptions>();
  CLI::App* const command = app.add_subcommand("credentials", "Who may allocate");
  command->require_subcommand(1);
  CLI::App* const revoke = command->add_subcommand(
      "revoke", "Refuse a username or an account for a time, and end its sessions");
  AddServerOptions(revoke, server);
  revoke->add_option("--username", options->username, "Whom to refuse");
  revoke->add_option("--account", options->account, "Whose users to refuse");
  revoke->add_option("--label", options->label, "Only this label of the account");
  revoke->add_option("--for", options->duration, "How long, from now")->capture_default_str();
  revoke->add_option("--until", options->until, "Until when, 2026-12-01 or 2026-12-01T12:00Z")
      ->excludes("--for");
  revoke->callback([server, options, exit_status] { *exit_status = Revoke(*server, *options); });
}

void AddDrainAndReload(CLI::App& app, int* exit_status) {
  const auto server = std::make_shared<Server>();
  CLI::App* const drain = app.add_subcommand(
      "drain", "Let a server refuse new allocations, and end when the last session has ended");
  AddServerOptions(drain, server);
  drain->callback([server, exit_status] {
    const auto answer = Ask(*server, "POST", "/v1/drain");
    if (answer) {
      std::cout << "draining, " << (*answer)["sessions"].get<uint64_t>() << " sessions left\n";
    }
    *exit_status = answer ? 0 : 1;
  });
  CLI::App* const reload =
      app.add_subcommand("reload", "Let a server read its configuration again");
  AddServerOptions(reload, server);
  reload->callback([server, exit_status] {
    const auto answer = Ask(*server, "POST", "/v1/reload");
    *exit_status = answer ? 0 : 1;
    if (!answer) return;
    std::cout << "reloaded, " << (*answer)["changes"].size() << " keys changed\n";
    for (const json& change : (*answer)["changes"]) std::cout << change.get<std::string>() << "\n";
    for (const json& change : (*answer)["needs_restart"]) {
      std::cout << "needs a restart: " << change.get<std::string>() << "\n";
    }
  });
}

}  // namespace

void AddAdminCommands(CLI::App& app, int* exit_status) {
  AddSessions(app, exit_status);
  AddLimits(app, exit_status);
  AddCredentials(app, exit_status);
  AddDrainAndReload(app, exit_status);
}

}  // namespace turnpike
