// An API without sockets, its clock in the test's hands.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "common/stun/integrity.h"
#include "server/api/routes.h"
#include "tests/support/seeded_random.h"

namespace turnpike::test {

inline const std::string kAcmeSid = "AC" + std::string(32, 'a');
inline const std::string kOtherSid = "AC" + std::string(32, 'b');
inline const std::string kDisabledSid = "AC" + std::string(32, 'd');

inline ApiAccount AccountOf(const std::string& sid, const std::string& name, bool disabled) {
  return {.sid = sid,
          .account = name,
          .name = name,
          .disabled = disabled,
          .secrets = {{SecretKind::kToken, Sha256(name + "-token")},
                      {SecretKind::kKey, Sha256(name + "-key")}}};
}

// TestSettings know acme, other, and off, which is disabled: their tokens are NAME-token, their API
// keys NAME-key.
inline ApiSettings TestSettings() {
  return {.edges = {{.name = "ashburn",
                     .region = "us1",
                     .hosts = {"turn-us1.example.com"},
                     .tcp = {3478, 443},
                     .tls = {5349},
                     .clients = IpSet({*IpRange::Parse("198.51.100.0/24")})},
                    {.name = "frankfurt", .region = "de1", .hosts = {"turn-de1.example.com"}}},
          .edge_choice = EdgeChoice::kNearest,
          .secret = "north",
          .accounts = {AccountOf(kAcmeSid, "acme", false), AccountOf(kOtherSid, "other", false),
                       AccountOf(kDisabledSid, "off", true)},
          .trusted_proxies = IpSet({*IpRange::Parse("127.0.0.0/8")})};
}

struct ApiWorld {
  std::shared_ptr<Now> now = std::make_shared<Now>(
      Now{MonoTime{}, WallTime(std::chrono::seconds(1795176000))});  // 2026-11-20T12:00:00Z
  std::unique_ptr<ApiService> service;

  explicit ApiWorld(ApiSettings settings = TestSettings(), const std::string& ledger = "/nowhere",
                    std::unique_ptr<TriggerStore> triggers = nullptr) {
    ApiHost host;
    host.clock = [now = now] { return *now; };
    host.ledger = ledger;
    host.triggers = std::move(triggers);
    host.random = std::make_unique<SeededRandom>(7);
    service = std::make_unique<ApiService>(std::move(host), std::move(settings));
  }

  using Headers = std::map<std::string, std::string>;

  // Send sends a request; what stands behind `?` in `target` is the query.
  HttpAnswer Send(std::string_view method, const std::string& target, std::string body = "",
                  Headers headers = {}) {
    HttpRequest request;
    request.method = method;
    const size_t mark = target.find('?');
    request.path = std::string_view(target).substr(0, mark);
    if (mark != std::string::npos) request.query = std::string_view(target).substr(mark + 1);
    request.body = std::move(body);
    request.peer = *IpAddress::Parse("127.0.0.1");
    request.header = [&headers](const char* name) -> std::string_view {
      const auto found = headers.find(name);
      return found == headers.end() ? std::string_view() : std::string_view(found->second);
    };
    return AnswerPublic(*service, request);
  }

  static Headers Basic(const std::string& sid, const std::string& token) {
    return {{"Authorization", "Basic " + stun::Base64(AsBytes(sid + ":" + token))}};
  }

  // As sends it with acme's credentials, below acme's path.
  HttpAnswer AsAcme(std::string_view method, const std::string& below, std::string body = "") {
    return Send(method, "/2010-04-01/Accounts/" + kAcmeSid + below, std::move(body),
                Basic(kAcmeSid, "acme-token"));
  }
};

inline nlohmann::json JsonOf(const HttpAnswer& answer) {
  return nlohmann::json::parse(answer.body);
}

// CheckError wants status and code, and a body that has all four members and nothing else.
inline void CheckError(const HttpAnswer& answer, int status, int code) {
  CHECK(answer.status == status);
  const nlohmann::json body = JsonOf(answer);
  CHECK(body.size() == 4);
  CHECK(body.at("status") == status);
  CHECK(body.at("code") == code);
  CHECK(body.at("more_info") == "/v1/errors#" + std::to_string(code));
  CHECK(body.at("message").is_string());
}

}  // namespace turnpike::test
