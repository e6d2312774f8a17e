#include "server/api/nettest.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "common/stun/integrity.h"
#include "tests/server/api/api_world.h"

namespace turnpike {
namespace {

using nlohmann::json;

// WorldOf has `nettest` beside what TestSettings know.
test::ApiWorld WorldOf(NettestSettings nettest) {
  ApiSettings settings = test::TestSettings();
  settings.nettest = std::move(nettest);
  return test::ApiWorld(std::move(settings));
}

HttpAnswer Ask(test::ApiWorld& world) { return world.Send("POST", "/v1/nettest/token"); }

TEST_CASE("without an account no credential is given out") {
  test::ApiWorld world = WorldOf({});
  CHECK(Ask(world).status == 403);
}

TEST_CASE("a test's credential is labelled, short-lived, and made with the secret") {
  test::ApiWorld world = WorldOf({.account = "operator", .per_minute = 2});
  const HttpAnswer answer = Ask(world);
  CHECK(answer.status == 201);
  const json body = json::parse(answer.body);
  const std::string username = body.at("username");
  CHECK(username == "1795176600:operator:nettest");
  CHECK(body.at("ttl") == 600);
  CHECK(body.at("password") == stun::Base64(stun::HmacSha1(AsBytes("north"), {AsBytes(username)})));
}

TEST_CASE("no more credentials than allowed, and again some as time goes by") {
  NettestLimit limit;
  const MonoTime now = MonoTime{} + std::chrono::hours(1);
  CHECK(limit.Take(now, 2));
  CHECK(limit.Take(now, 2));
  CHECK(!limit.Take(now + std::chrono::seconds(29), 2));
  CHECK(limit.Take(now + std::chrono::seconds(30), 2));
  CHECK(!limit.Take(now + std::chrono::seconds(30), 2));
  test::ApiWorld world = WorldOf({.account = "operator", .per_minute = 0});
  const HttpAnswer answer = Ask(world);
  CHECK(answer.status == 429);
  CHECK(answer.headers.find("Retry-After") != std::string::npos);
}

}  // namespace
}  // namespace turnpike
