#include "server/api/access.h"

#include "tests/server/api/api_world.h"

namespace turnpike {
namespace {

using test::ApiWorld;
using test::CheckError;
using test::kAcmeSid;
using test::kDisabledSid;
using test::kOtherSid;

std::string TokensOf(const std::string& sid) {
  return "/2010-04-01/Accounts/" + sid + "/Tokens.json";
}

TEST_CASE("whoever cannot show an account's token gets 401, the same for all") {
  ApiWorld world;
  const auto post = [&](const std::string& sid, ApiWorld::Headers headers) {
    return world.Send("POST", TokensOf(sid), "", std::move(headers));
  };
  const HttpAnswer none = post(kAcmeSid, {});
  CheckError(none, 401, 20003);
  CHECK(none.headers.contains("WWW-Authenticate: Basic"));
  const HttpAnswer wrong = post(kAcmeSid, ApiWorld::Basic(kAcmeSid, "other-token"));
  const HttpAnswer unknown =
      post(kAcmeSid, ApiWorld::Basic("AC" + std::string(32, '0'), "acme-token"));
  CheckError(wrong, 401, 20003);
  CHECK(wrong.body == unknown.body);
  CHECK(wrong.body == none.body);
  for (const char* const token : {"", "acme-token ", "acme-key", "' OR 1=1 --", "\r\nX: y"}) {
    CheckError(post(kAcmeSid, ApiWorld::Basic(kAcmeSid, token)), 401, 20003);
  }
  for (const char* const sid : {"", "' OR '1'='1", "AC%"}) {
    CheckError(post(kAcmeSid, ApiWorld::Basic(sid, "acme-token")), 401, 20003);
  }
}

TEST_CASE("a disabled account is told so only when it shows its token") {
  ApiWorld world;
  const auto post = [&](const std::string& token) {
    return world.Send("POST", TokensOf(kDisabledSid), "", ApiWorld::Basic(kDisabledSid, token));
  };
  CheckError(post("off-token"), 401, 20005);
  CheckError(post("acme-token"), 401, 20003);
}

TEST_CASE("another account's data is not found, whether it exists or not") {
  ApiWorld world;
  const auto get = [&](const std::string& sid) {
    return world.Send("GET", "/2010-04-01/Accounts/" + sid + "/Usage/Records.json", "",
                      ApiWorld::Basic(kAcmeSid, "acme-token"));
  };
  CheckError(get(kOtherSid), 404, 20404);
  CHECK(get(kOtherSid).body == get("AC" + std::string(32, '0')).body);
  CheckError(get("..%2F" + kOtherSid), 404, 20404);
}

TEST_CASE("requests beyond an account's limit get 429, until a second has passed") {
  ApiSettings settings = test::TestSettings();
  settings.requests_per_second = 3;
  ApiWorld world(settings);
  for (int i = 0; i < 3; ++i) CHECK(world.AsAcme("POST", "/Tokens.json").status == 201);
  const HttpAnswer refused = world.AsAcme("POST", "/Tokens.json");
  CheckError(refused, 429, 20429);
  CHECK(refused.headers.contains("Retry-After: 1"));
  CHECK(world.Send("POST", TokensOf(kOtherSid), "", ApiWorld::Basic(kOtherSid, "other-token"))
            .status == 201);
  world.now->mono += std::chrono::seconds(1);
  CHECK(world.AsAcme("POST", "/Tokens.json").status == 201);
}

TEST_CASE("requests beyond an address's limit get 429 before anything is looked up") {
  ApiSettings settings = test::TestSettings();
  settings.requests_per_second_per_address = 2;
  ApiWorld world(settings);
  const auto get = [&](const std::string& address) {
    return world.Send("GET", "/v1/edges", "", {{"X-Forwarded-For", address}});
  };
  CHECK(get("203.0.113.1").status == 200);
  CHECK(get("203.0.113.1").status == 200);
  CheckError(get("203.0.113.1"), 429, 20429);
  CHECK(get("203.0.113.2").status == 200);
}

TEST_CASE("X-Forwarded-For counts only from trusted proxies, and from the right") {
  HttpRequest request;
  std::string forwarded = "203.0.113.1, 198.51.100.2, 127.0.0.9";
  request.header = [&](const char*) { return std::string_view(forwarded); };
  const IpSet trusted({*IpRange::Parse("127.0.0.0/8")});
  const auto client = [&](const char* peer) {
    request.peer = *IpAddress::Parse(peer);
    return ClientAddress(request, trusted).ToString();
  };
  CHECK(client("127.0.0.1") == "198.51.100.2");
  CHECK(client("192.0.2.7") == "192.0.2.7");
  forwarded = "nonsense";
  CHECK(client("127.0.0.1") == "127.0.0.1");
}

}  // namespace
}  // namespace turnpike
