#include "server/ops/api_routes.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/server/ops/fake_actions.h"

namespace turnpike {
namespace {

using nlohmann::json;
using test::FakeActions;

ApiAnswer Ask(FakeActions& actions, std::string_view method, std::string_view path,
              std::string_view query = "", std::string_view body = "",
              std::string_view authorization = "Bearer t0ken") {
  return AnswerApi(actions, {method, path, query, body, authorization});
}

LiveSession Session(const char* account, uint8_t id, uint64_t bytes, uint64_t rate) {
  LiveSession session;
  session.info.id[15] = id;
  session.info.account = account;
  session.info.username = std::string("user-") + account;
  session.info.label = "web";
  session.totals.payload_bytes = {bytes, 0};
  session.bytes_per_second = {rate, 0};
  return session;
}

std::vector<std::string> Accounts(const ApiAnswer& answer) {
  std::vector<std::string> accounts;
  const json document = json::parse(answer.body);
  for (const json& row : document["rows"]) accounts.push_back(row["account"]);
  return accounts;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("the OpenAPI description has every route of the table, and no other") {
  json document = json::parse(OpenApi());
  size_t described = 0;
  for (const auto& [path, operations] : document["paths"].items()) described += operations.size();
  CHECK(described == ApiRoutes().size());
  for (const ApiRoute& route : ApiRoutes()) {
    CAPTURE(std::string(route.path));
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(c | 0x20);
    const json& operation = document["paths"][std::string(route.path)][method];
    CHECK(operation["operationId"] == route.name);
    CHECK(operation["security"].empty() != route.needs_token);
  }
}

TEST_CASE("every route but the description asks for the token, and refuses where there is none") {
  FakeActions actions;
  for (const ApiRoute& route : ApiRoutes()) {
    CAPTURE(std::string(route.path));
    const int open = route.needs_token ? 401 : 200;
    for (const char* authorization :
         {"", "t0ken", "Bearer t0kem", "Bearer t0ken2", "Basic t0ken"}) {
      CHECK(Ask(actions, route.method, route.path, "", "", authorization).status == open);
    }
    actions.token.clear();
    CHECK(Ask(actions, route.method, route.path, "", "", "Bearer ").status ==
          (route.needs_token ? 403 : 200));
    actions.token = "t0ken";
  }
  CHECK(!actions.drained);
  CHECK(actions.killed.empty());
  CHECK(actions.revoked.empty());
}

TEST_CASE("unknown paths and methods say what there is") {
  FakeActions actions;
  CHECK(Ask(actions, "GET", "/v1/nothing").status == 404);
  CHECK(Ask(actions, "GET", "/v1/sessions/a/b").status == 404);
  const ApiAnswer wrong = Ask(actions, "GET", "/v1/drain");
  CHECK(wrong.status == 405);
  CHECK(wrong.body == "{\"error\":\"use POST\"}\n");
}

TEST_CASE("sessions are filtered, sorted and limited") {
  FakeActions actions;
  actions.sessions = {Session("a", 1, 10, 5), Session("b", 2, 30, 1), Session("c", 3, 20, 9)};
  CHECK(Accounts(Ask(actions, "GET", "/v1/sessions")) == Strings{"c", "a", "b"});
  CHECK(Accounts(Ask(actions, "GET", "/v1/sessions", "sort=bytes")) == Strings{"b", "c", "a"});
  CHECK(Accounts(Ask(actions, "GET", "/v1/sessions", "sort=age")) == Strings{"a", "b", "c"});
  CHECK(Accounts(Ask(actions, "GET", "/v1/sessions", "account=b&label=we%62")) == Strings{"b"});
  CHECK(Accounts(Ask(actions, "GET", "/v1/sessions", "label=voice")).empty());
  CHECK(Accounts(Ask(actions, "GET", "/v1/sessions", "transport=tcp")).empty());
  const json limited = json::parse(Ask(actions, "GET", "/v1/sessions", "limit=1").body);
  CHECK(limited["rows"].size() == 1);
  CHECK(limited["sessions"] == 3);
  CHECK(limited["bytes_per_second"] == 15);
  for (const char* bad : {"sort=name", "limit=-1", "limit=", "acount=a"}) {
    CHECK(Ask(actions, "GET", "/v1/sessions", bad).status == 400);
  }
}

TEST_CASE("a session is killed by its id") {
  FakeActions actions;
  actions.sessions = {Session("a", 1, 10, 5), Session("b", 2, 30, 1)};
  const std::string id = FormatSessionId(actions.sessions[1].info.id);
  CHECK(Ask(actions, "DELETE", "/v1/sessions/" + id).status == 200);
  CHECK(actions.killed == std::vector{actions.sessions[1].info.id});
  CHECK(Ask(actions, "DELETE", "/v1/sessions/nobody").status == 404);
}

TEST_CASE("a revocation says whom and until when, and ends what fits") {
  FakeActions actions;
  actions.sessions = {Session("a", 1, 10, 5), Session("b", 2, 30, 1)};
  const std::string path = "/v1/credentials/revoke";
  for (const char* bad : {"", "[]", "{}", R"({"until":"2026-12-01"})", R"({"account":"a"})",
                          R"({"account":"a","until":"tomorrow"})", R"({"account":1})",
                          R"({"acount":"a","until":"2026-12-01"})"}) {
    CAPTURE(bad);
    CHECK(Ask(actions, "POST", path, "", bad).status == 400);
  }
  CHECK(actions.revoked.empty());
  const ApiAnswer answer =
      Ask(actions, "POST", path, "", R"({"account":"b","until":"2026-12-01T00:00:00Z"})");
  CHECK(answer.status == 200);
  REQUIRE(actions.revoked.size() == 1);
  CHECK(actions.revoked[0].account == "b");
  CHECK(actions.killed == std::vector{actions.sessions[1].info.id});
}

TEST_CASE("reload tells what changed, what waits, or what is wrong; drain starts") {
  FakeActions actions;
  actions.reload.changes = {"log.level: info -> debug"};
  CHECK(Ask(actions, "POST", "/v1/reload").body ==
        "{\"changes\":[\"log.level: info -> debug\"],\"needs_restart\":[]}\n");
  actions.reload = {.problems = {"turnpike.yaml:3: wrong"}, .changes = {}, .needs_restart = {}};
  const ApiAnswer bad = Ask(actions, "POST", "/v1/reload");
  CHECK(bad.status == 422);
  CHECK(json::parse(bad.body)["problems"][0] == "turnpike.yaml:3: wrong");
  CHECK(Ask(actions, "POST", "/v1/drain").status == 202);
  CHECK(actions.drained);
}

TEST_CASE("limits are listed with what is used of them, and by whom most") {
  FakeActions actions;
  actions.quotas = {{"ports", "", 7, 100}, {"account_bandwidth", "bit/s", 1500, 2000, "a\xff"}};
  const ApiAnswer answer = Ask(actions, "GET", "/v1/limits");
  CHECK(answer.status == 200);
  const json rows = json::parse(answer.body)["rows"];
  REQUIRE(rows.size() == 2);
  CHECK(rows[1] == json{{"limit", "account_bandwidth"},
                        {"unit", "bit/s"},
                        {"used", 1500},
                        {"of", 2000},
                        {"ratio", 0.75},
                        {"who", "a\\xFF"}});
}

}  // namespace turnpike
