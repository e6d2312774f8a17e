#include "server/api/tokens.h"

#include "common/stun/time_limited.h"
#include "tests/server/api/api_world.h"

namespace turnpike {
namespace {

using nlohmann::json;
using test::ApiWorld;
using test::CheckError;
using test::JsonOf;
using test::kAcmeSid;

constexpr int64_t kNowSeconds = 1795176000;

json UrlsOf(const HttpAnswer& answer) {
  const json token = JsonOf(answer);
  json urls = json::array();
  for (const json& server : token.at("ice_servers")) urls.push_back(server.at("urls"));
  return urls;
}

TEST_CASE("a token is field for field what the hosted services answer") {
  ApiWorld world;
  const HttpAnswer answer = world.AsAcme("POST", "/Tokens.json", "Ttl=3600&Label=web&Edge=ashburn");
  CHECK(answer.status == 201);
  CHECK(answer.content_type == "application/json");
  const json token = JsonOf(answer);
  const TimeLimitedCredential credential = Mint("north", "acme", "web", kNowSeconds + 3600);
  CHECK(token.size() == 7);
  CHECK(token.at("username") == credential.username);
  CHECK(token.at("password") == credential.password);
  CHECK(token.at("ttl") == "3600");
  CHECK(token.at("account_sid") == kAcmeSid);
  CHECK(token.at("date_created") == "Fri, 20 Nov 2026 12:00:00 +0000");
  CHECK(token.at("date_updated") == token.at("date_created"));
  CHECK(UrlsOf(answer) == json{"stun:turn-us1.example.com:3478",
                               "turn:turn-us1.example.com:3478?transport=udp",
                               "turn:turn-us1.example.com:3478?transport=tcp",
                               "turn:turn-us1.example.com:443?transport=tcp",
                               "turns:turn-us1.example.com:5349?transport=tcp"});
  const json& servers = token.at("ice_servers");
  CHECK(servers[0] == json{{"url", servers[0].at("urls")}, {"urls", servers[0].at("urls")}});
  CHECK(servers[1] == json{{"url", servers[1].at("urls")},
                           {"urls", servers[1].at("urls")},
                           {"username", credential.username},
                           {"credential", credential.password}});
}

TEST_CASE("without a ttl a token is good for a day, and never longer") {
  ApiWorld world;
  CHECK(JsonOf(world.AsAcme("POST", "/Tokens.json")).at("ttl") == "86400");
  CHECK(JsonOf(world.AsAcme("POST", "/Tokens.json", "Ttl=1")).at("ttl") == "1");
  for (const char* ttl : {"0", "86401", "-1", "", "1e3", "3600s", "99999999999999999999"}) {
    CAPTURE(std::string(ttl));
    CheckError(world.AsAcme("POST", "/Tokens.json", "Ttl=" + std::string(ttl)), 400, 20001);
  }
}

TEST_CASE("edges: the one asked for, the nearest by network, or all") {
  ApiWorld world;
  const auto count = [&](const std::string& form) {
    return UrlsOf(world.AsAcme("POST", "/Tokens.json", form)).size();
  };
  CHECK(count("Edge=frankfurt") == 3);
  CHECK(count("Edge=all") == 8);
  CHECK(count("ClientAddress=198.51.100.9") == 5);
  CHECK(count("ClientAddress=192.0.2.1") == 8);  // nobody's: the client probes
  CheckError(world.AsAcme("POST", "/Tokens.json", "Edge=mars"), 400, 20001);
  CheckError(world.AsAcme("POST", "/Tokens.json", "ClientAddress=x"), 400, 20001);
}

TEST_CASE("what cannot stand in a username is refused and not repeated") {
  ApiWorld world;
  for (const char* label : {"a%0D%0ASet-Cookie:%20x", "%00", "%7F"}) {
    const HttpAnswer answer = world.AsAcme("POST", "/Tokens.json", "Label=" + std::string(label));
    CheckError(answer, 400, 20001);
    CHECK_FALSE(answer.body.contains("Cookie"));
  }
  CheckError(world.AsAcme("POST", "/Tokens.json", "Label=" + std::string(129, 'x')), 400, 20001);
  const json token =
      JsonOf(world.AsAcme("POST", "/Tokens.json", "Label='%3B+DROP+TABLE+account%3B--"));
  CHECK(token.at("username") ==
        std::to_string(kNowSeconds + 86400) + ":acme:'; DROP TABLE account;--");
}

TEST_CASE("a body that is no form is refused, lest its Ttl pass for none") {
  ApiWorld world;
  ApiWorld::Headers headers = ApiWorld::Basic(kAcmeSid, "acme-token");
  const auto status = [&](const char* type) {
    headers["Content-Type"] = type;
    return world
        .Send("POST", "/2010-04-01/Accounts/" + kAcmeSid + "/Tokens.json", "Ttl=60", headers)
        .status;
  };
  CHECK(status("application/json") == 415);
  CHECK(status("application/x-www-form-urlencodedx") == 415);
  CHECK(status("Application/X-WWW-Form-Urlencoded;charset=utf-8") == 201);
  CHECK(status("") == 201);
}

TEST_CASE("a server without secrets mints nothing") {
  ApiSettings settings = test::TestSettings();
  settings.secret.clear();
  ApiWorld world(settings);
  CheckError(world.AsAcme("POST", "/Tokens.json"), 503, 20503);
}

TEST_CASE("the REST convention: username, password, ttl and uris for an API key") {
  ApiWorld world;
  const HttpAnswer answer =
      world.Send("GET", "/turn?service=turn&username=bob&ttl=600&key=acme-key");
  CHECK(answer.status == 200);
  const TimeLimitedCredential credential = Mint("north", "acme", "bob", kNowSeconds + 600);
  const json body = JsonOf(answer);
  CHECK(body.size() == 4);
  CHECK(body.at("username") == credential.username);
  CHECK(body.at("password") == credential.password);
  CHECK(body.at("ttl") == 600);
  CHECK(body.at("uris").size() == 6);
  CHECK(world.Send("GET", "/turn", "", {{"X-API-Key", "acme-key"}}).status == 200);
  CHECK(world.Send("POST", "/turn", "ttl=60", {{"Authorization", "Bearer acme-key"}}).status ==
        200);
  CheckError(world.Send("GET", "/turn"), 401, 20003);
  CheckError(world.Send("GET", "/turn?key=acme-token"), 401, 20003);
  CheckError(world.Send("GET", "/turn?key=off-key"), 401, 20005);
  CheckError(world.Send("GET", "/turn?key=acme-key&ttl=0"), 400, 20001);
}

}  // namespace
}  // namespace turnpike
