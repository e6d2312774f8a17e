#include "server/api/nettest.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "common/stun/time_limited.h"
#include "server/api/errors.h"

namespace turnpike {
namespace {

constexpr std::chrono::seconds kLifetime = std::chrono::minutes(10);
constexpr std::string_view kLabel = "nettest";

}  // namespace

HttpAnswer GiveNettestCredential(ApiService& service, const ApiCall&) {
  const auto settings = service.settings();
  const NettestSettings& nettest = settings->nettest;
  if (nettest.account.empty()) {
    return ErrorAnswer(ErrorCode::kForbidden, "this server hands out no credentials for tests");
  }
  if (!service.nettest_limit().Take(service.now().mono, nettest.per_minute)) {
    return ErrorAnswer(ErrorCode::kTooManyRequests);
  }
  const auto now = std::chrono::floor<std::chrono::seconds>(service.now().wall);
  const TimeLimitedCredential minted =
      Mint(settings->secret, nettest.account, kLabel, (now + kLifetime).time_since_epoch().count());
  const nlohmann::ordered_json answer = {
      {"username", minted.username}, {"password", minted.password}, {"ttl", kLifetime.count()}};
  return JsonAnswer(answer.dump() + "\n", 201);
}

}  // namespace turnpike
