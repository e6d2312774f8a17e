#include "server/ops/admin_http.h"

#include <doctest/doctest.h>

#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include "server/ops/metrics.h"
#include "tests/server/http/exchange.h"
#include "tests/server/ops/fake_actions.h"
#include "tests/server/ops/fake_source.h"

namespace turnpike {
namespace {

using test::BodyOf;
using test::Exchange;
using test::FakeSource;
using test::Get;
using test::HasHeader;
using test::Request;
using test::StatusOf;
using Strings = std::vector<std::string>;

TransportAddress Loopback(uint16_t port) { return {*IpAddress::Parse("127.0.0.1"), port}; }

test::FakeActions& Actions() {
  static test::FakeActions actions;
  return actions;
}

std::unique_ptr<HttpServer> StartOrFail(const MetricsSource& source) {
  auto started = StartAdminHttp(Loopback(0), source, Actions());
  REQUIRE_MESSAGE(started.has_value(), started.error());
  REQUIRE((*started)->port() != 0);
  return std::move(*started);
}

// Site is an endpoint that most tests share: stopping one takes two seconds, since civetweb's
// listening thread looks up only every two.
struct Site {
  FakeSource source;
  std::unique_ptr<HttpServer> http = StartOrFail(source);
};

// TheSite returns it, its source as new.
Site& TheSite() {
  static Site site;
  const std::lock_guard lock(site.source.mutex);
  site.source.not_ready.clear();
  site.source.ledger = {};
  return site;
}

TEST_CASE("/metrics answers the page with Prometheus's content type") {
  auto& [source, http] = TheSite();
  source.workers[0]->stats.relayed_bytes[0][0].Set(8'050'031'004);
  const std::string response = Get(*http, "/metrics");
  CHECK(StatusOf(response) == 200);
  CHECK(HasHeader(response, "Content-Type: text/plain; version=0.0.4; charset=utf-8"));
  CHECK(HasHeader(response, "Content-Length: " + std::to_string(BodyOf(response).size())));
  CHECK(BodyOf(response).find("turn_relay_bytes_total{direction=\"client_to_peer\","
                              "transport=\"udp\",region=\"us1\"} 8050031004\n") !=
        std::string::npos);
  CHECK(StatusOf(Get(*http, "/metrics?name[]=up")) == 200);
}

TEST_CASE("the JSON API takes token, query and body, and is JSON") {
  auto& [source, http] = TheSite();
  const std::string described = Get(*http, "/v1/openapi.json");
  CHECK(StatusOf(described) == 200);
  CHECK(HasHeader(described, "Content-Type: application/json"));
  const std::string stranger = Get(*http, "/v1/sessions");
  CHECK(StatusOf(stranger) == 401);
  CHECK(HasHeader(stranger, "WWW-Authenticate: Bearer"));
  const std::string token = "Authorization: Bearer t0ken\r\n";
  CHECK(StatusOf(Request(*http, "GET", "/v1/sessions?sort=age", token)) == 200);
  CHECK(StatusOf(Request(*http, "GET", "/v1/sessions?sort=x", token)) == 400);
  const std::string body = R"({"username":"bob","until":"2026-12-01"})";
  const auto post = [&](const std::string& content) {
    return Request(*http, "POST", "/v1/credentials/revoke",
                   token + "Content-Length: " + std::to_string(content.size()) + "\r\n", content);
  };
  CHECK(StatusOf(post(body)) == 200);
  {
    const std::lock_guard lock(Actions().mutex);
    REQUIRE(Actions().revoked.size() == 1);
    CHECK(Actions().revoked[0].username == "bob");
  }
  CHECK(StatusOf(post(std::string(70'000, 'x'))) == 413);
}

TEST_CASE("a body that does not come keeps nobody waiting, unless it has the token") {
  auto& [source, http] = TheSite();
  const std::string announced = "Content-Length: 1000\r\n";
  for (const char* path : {"/v1/credentials/revoke", "/v1/nothing"}) {
    const int status = StatusOf(Request(*http, "POST", path, announced));
    CHECK(status == (std::string_view(path) == "/v1/nothing" ? 404 : 401));
  }
  CHECK(StatusOf(Request(*http, "GET", "/livez", announced)) == 200);
  CHECK(StatusOf(Request(*http, "POST", "/metrics", announced)) == 405);
}

TEST_CASE("/metrics holds a thousand accounts") {
  auto& [source, http] = TheSite();
  {
    const std::lock_guard lock(source.mutex);
    for (int i = 0; i < 1000; ++i) {
      source.ledger.billable.push_back({"account-" + std::to_string(i), "us1", {1, 2}});
    }
  }
  const std::string response = Get(*http, "/metrics");
  CHECK(HasHeader(response, "Content-Length: " + std::to_string(BodyOf(response).size())));
  CHECK(BodyOf(response).find("account-999") != std::string::npos);
}

TEST_CASE("health: alive always, ready with a reason why not") {
  auto& [source, http] = TheSite();
  CHECK(BodyOf(Get(*http, "/readyz")) == "ready\n");
  {
    const std::lock_guard lock(source.mutex);
    source.not_ready = "draining";
  }
  const std::string response = Get(*http, "/readyz");
  CHECK(StatusOf(response) == 503);
  CHECK(BodyOf(response) == "draining\n");
  CHECK(StatusOf(Get(*http, "/livez")) == 200);
  CHECK(BodyOf(Get(*http, "/livez")) == "alive\n");
}

TEST_CASE("HEAD answers the header of GET without its body") {
  auto& [source, http] = TheSite();
  const std::string response = Request(*http, "HEAD", "/livez");
  CHECK(StatusOf(response) == 200);
  CHECK(HasHeader(response, "Content-Length: 6"));
  CHECK(BodyOf(response) == "");
}

TEST_CASE("other methods get 405, on every path") {
  auto& [source, http] = TheSite();
  for (const std::string& method :
       Strings{"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "MKCOL"}) {
    CAPTURE(method);
    for (const std::string& path : Strings{"/metrics", "/", "/nowhere"}) {
      const std::string response = Request(*http, method, path, "Content-Length: 0\r\n");
      CHECK(StatusOf(response) == 405);
      CHECK(HasHeader(response, "Allow: GET, HEAD"));
    }
  }
  const std::string preflight =
      Request(*http, "OPTIONS", "/metrics",
              "Origin: http://evil.example\r\nAccess-Control-Request-Method: GET\r\n");
  CHECK(StatusOf(preflight) == 405);
  CHECK(preflight.find("Access-Control") == std::string::npos);
}

TEST_CASE("the index is plain, the rest is a short 404") {
  auto& [source, http] = TheSite();
  const std::string index = Get(*http, "/");
  CHECK(StatusOf(index) == 200);
  CHECK(HasHeader(index, "Content-Type: text/plain; charset=utf-8"));
  CHECK(BodyOf(index).find("/metrics") != std::string::npos);
  for (const std::string& path :
       Strings{"/nothing", "/metrics/", "/metricsx", "/index.html", "/a.cgi"}) {
    CAPTURE(path);
    const std::string response = Get(*http, path);
    CHECK(StatusOf(response) == 404);
    CHECK(BodyOf(response) == "not found\n");
  }
}

TEST_CASE("no path leads to a file") {
  auto& [source, http] = TheSite();
  for (const std::string& path :
       Strings{"/../etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd", "/etc/passwd",
               "/./etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..\\..\\etc\\passwd", "etc/passwd",
               "*", "http://localhost/etc/passwd", "file:///etc/passwd"}) {
    CAPTURE(path);
    const std::string response = Get(*http, path);
    CHECK(response.find("root:") == std::string::npos);
    CAPTURE(response);
    // What is no path at all gets a 400, or the connection is closed without a word.
    CHECK((StatusOf(response) == 404 || StatusOf(response) == 400 || response.empty()));
  }
}

TEST_CASE("requests are bounded, nonsense is refused, and the server goes on") {
  auto& [source, http] = TheSite();
  const std::string large =
      Request(*http, "GET", "/livez", "X: " + std::string(9000, 'x') + "\r\n");
  CHECK(StatusOf(large) != 200);
  CHECK(StatusOf(Exchange(*http, "nonsense\r\n\r\n")) != 200);
  CHECK(StatusOf(Exchange(*http, std::string(64, '\0') + "\r\n\r\n")) != 200);
  CHECK(StatusOf(Get(*http, "/livez")) == 200);
}

TEST_CASE("a taken port is a sentence") {
  auto& [source, http] = TheSite();
  const auto second = StartAdminHttp(Loopback(http->port()), source, Actions());
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().find("cannot listen on 127.0.0.1:" + std::to_string(http->port())) !=
        std::string::npos);
  CHECK(StatusOf(Get(*http, "/livez")) == 200);
}

TEST_CASE("an address that cannot be served is a sentence") {
  FakeSource source;
  CHECK_FALSE(StartAdminHttp({*IpAddress::Parse("192.0.2.1"), 0}, source, Actions()).has_value());
  const auto v6 = StartAdminHttp({*IpAddress::Parse("::1"), 0}, source, Actions());
  if (!v6.has_value()) CHECK(v6.error().find("[::1]:0") != std::string::npos);
}

TEST_CASE("a stopped endpoint frees its port") {
  FakeSource source;
  uint16_t port = 0;
  {
    const auto http = StartOrFail(source);
    port = http->port();
  }
  const auto again = StartAdminHttp(Loopback(port), source, Actions());
  CHECK(again.has_value());
}

TEST_CASE("the HTTP library loads no OpenSSL beside BoringSSL") {
  auto& [source, http] = TheSite();
  CHECK(StatusOf(Get(*http, "/livez")) == 200);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    CHECK((!line.contains("libssl.so.") || line.contains("/android/")));  // BoringSSL's
}

}  // namespace
}  // namespace turnpike
