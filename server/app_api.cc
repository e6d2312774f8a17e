// How the server brings up the API of account holders.
#include <utility>

#include "server/api/api_http.h"
#include "server/app.h"
#include "server/host_addresses.h"
#include "server/http/http_send.h"
#include "server/io/clock.h"
#include "server/io/system_random.h"
#include "server/setup.h"

namespace turnpike {

std::expected<void, std::string> App::StartApi(const config::Config& config) {
  if (config.api.address.port == 0) return {};
  auto settings = MakeApiSettings(config);
  if (!settings) return std::unexpected(settings.error());
  const std::string database = config.metering.directory + "/" + kApiDatabaseName;
  auto accounts = AccountDb::Open(database);
  if (!accounts) return std::unexpected("the API's accounts: " + accounts.error());
  auto triggers = TriggerStore::Open(database);
  if (!triggers) return std::unexpected("the API's triggers: " + triggers.error());
  ApiHost host;
  host.clock = ReadClocks;
  host.ledger = config.metering.directory;
  host.accounts = std::move(*accounts);
  host.triggers = std::move(*triggers);
  host.random = std::make_unique<SystemRandom>();
  api_ = std::make_unique<ApiService>(std::move(host), std::move(*settings));
  auto started = StartApiHttp(config.api.address, *api_);
  if (!started) return std::unexpected(started.error());
  api_http_ = std::move(*started);
  trigger_watch_ = std::make_unique<TriggerWatch>(*api_, [this](const HttpSend& send) {
    const auto in_force = api_->settings();
    return SendHttp(
        send,
        [&in_force](const IpAddress& ip) {
          return IsPublic(ip) || in_force->webhook_networks.Contains(ip);
        },
        in_force->webhook_authorities);
  });
  trigger_watch_->Start();
  return {};
}

}  // namespace turnpike
