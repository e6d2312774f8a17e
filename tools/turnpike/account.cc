#include "tools/turnpike/account.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <expected>
#include <iostream>
#include <memory>
#include <string>

#include "common/accounts/account_db.h"
#include "common/base/log.h"
#include "tools/load/random.h"
#include "tools/turnpike/complain.h"
#include "tools/turnpike/config_command.h"

namespace turnpike {
namespace {

struct Options {
  std::string config;
  std::string directory;
  std::string sid;
  std::string account;
  std::string name;
  std::string grace = "24h";
  bool key = false;
};

WallTime Clock() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

std::expected<std::unique_ptr<AccountDb>, std::string> OpenDatabase(const Options& options) {
  const std::string name = std::string("/") + kApiDatabaseName;
  if (!options.directory.empty()) return AccountDb::Open(options.directory + name);
  if (options.config.empty()) {
    return std::unexpected("which server? give --config, or --directory");
  }
  const auto config = LoadOrPrintProblems(options.config);
  if (!config) return std::unexpected("the configuration cannot be used");
  return AccountDb::Open(config->metering.directory + name);
}

// Show prints a secret once: only its hash is kept.
void Show(SecretKind kind, const std::string& secret) {
  std::cout << (kind == SecretKind::kToken ? "auth_token: " : "api_key: ") << secret << "\n";
}

int Add(const Options& options) {
  if (const auto fits = CheckAccountName(options.account); !fits) {
    return Complain("--account " + fits.error(), "account");
  }
  auto database = OpenDatabase(options);
  if (!database) return Complain(database.error(), "account");
  load::KernelRandom random;
  const std::string token = NewSecret(random);
  const std::string key = NewSecret(random);
  ApiAccount account{.sid = options.sid.empty() ? NewSid("AC", random) : options.sid,
                     .account = options.account,
                     .name = options.name.empty() ? options.account : options.name};
  if (!IsSid("AC", account.sid))
    return Complain("--sid: write AC and 32 hexadecimal digits", "account");
  account.secrets = {{SecretKind::kToken, Sha256(token)}, {SecretKind::kKey, Sha256(key)}};
  if (const auto added = (*database)->Add(account, Clock()); !added) {
    return Complain(added.error(), "account");
  }
  std::cout << "sid: " << account.sid << "\n";
  Show(SecretKind::kToken, token);
  Show(SecretKind::kKey, key);
  return 0;
}

int List(const Options& options) {
  auto database = OpenDatabase(options);
  if (!database) return Complain(database.error(), "account");
  const auto accounts = (*database)->List();
  if (!accounts) return Complain(accounts.error(), "account");
  const WallTime now = Clock();
  for (const ApiAccount& account : *accounts) {
    const auto count = [&](SecretKind kind) {
      return std::ranges::count_if(account.secrets, [&](const AccountSecret& secret) {
        return secret.kind == kind && (!secret.expires_at || now < *secret.expires_at);
      });
    };
    std::cout << account.sid << "  " << (account.disabled ? "disabled" : "active  ") << "  tokens "
              << count(SecretKind::kToken) << "  keys " << count(SecretKind::kKey) << "  "
              << EscapeText(account.account) << "  " << EscapeText(account.name) << "\n";
  }
  if (accounts->empty()) std::cerr << "no accounts; `turnpike account add` makes one\n";
  return 0;
}

int Rotate(const Options& options) {
  const auto grace = ParseDuration(options.grace);
  if (!grace) return Complain("--grace: " + grace.error(), "account");
  auto database = OpenDatabase(options);
  if (!database) return Complain(database.error(), "account");
  load::KernelRandom random;
  const std::string secret = NewSecret(random);
  const SecretKind kind = options.key ? SecretKind::kKey : SecretKind::kToken;
  const auto rotated = (*database)->Rotate(options.sid, {kind, Sha256(secret)}, Clock(), *grace);
  if (!rotated) return Complain(rotated.error(), "account");
  Show(kind, secret);
  return 0;
}

int SetDisabled(const Options& options, bool disabled) {
  auto database = OpenDatabase(options);
  if (!database) return Complain(database.error(), "account");
  const auto set = (*database)->SetDisabled(options.sid, disabled);
  return set ? 0 : Complain(set.error(), "account");
}

}  // namespace

void AddAccountCommand(CLI::App& app, int* exit_status) {
  CLI::App* const command =
      app.add_subcommand("account", "Accounts of the API: who may mint tokens and read usage");
  command->require_subcommand(1);
  const auto options = std::make_shared<Options>();
  const auto add = [&](const char* name, const char* help, bool needs_sid, auto run) {
    CLI::App* const each = command->add_subcommand(name, help);
    each->add_option("--config", options->config, "The server's configuration");
    each->add_option("--directory", options->directory, "Its metering.directory, instead");
    if (needs_sid) each->add_option("SID", options->sid, "The account")->required();
    each->callback([options, exit_status, run] { *exit_status = run(*options); });
    return each;
  };
  CLI::App* const make = add("add", "Make an account; prints its secrets, once", false, Add);
  make->add_option("--account", options->account, "Who pays, as reports name it")->required();
  make->add_option("--name", options->name, "For people; default: the account");
  make->add_option("--sid", options->sid, "AC and 32 hexadecimal digits; default: random");
  add("list", "List all accounts", false, List);
  CLI::App* const rotate = add("rotate", "Give an account a new auth token", true, Rotate);
  rotate->add_option("--grace", options->grace, "How long the old one is still good")
      ->capture_default_str();
  rotate->add_flag("--key", options->key, "A new API key instead");
  add("disable", "Refuse an account's requests from now on", true,
      [](const Options& o) { return SetDisabled(o, true); });
  add("enable", "Take a disabled account's requests again", true,
      [](const Options& o) { return SetDisabled(o, false); });
  command->footer(
      "A running server sees changes within a second. Examples:\n"
      "  turnpike account add --config turnpike.yaml --account acme\n"
      "  turnpike account rotate --config turnpike.yaml AC… --grace 1h");
}

}  // namespace turnpike
