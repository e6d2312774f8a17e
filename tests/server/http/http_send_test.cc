#include "server/http/http_send.h"

#include <doctest/doctest.h>

#include <atomic>
#include <mutex>

#include "server/http/http_server.h"

namespace turnpike {
namespace {

constexpr const char* kNoAuthorities = "/nonexistent.pem";

bool Everywhere(const IpAddress&) { return true; }

std::expected<int, std::string> Send(const HttpSend& message, const MayReach& may_reach) {
  return SendHttp(message, may_reach, kNoAuthorities);
}

TEST_CASE("a message arrives, and its answer's status comes back") {
  std::mutex mutex;
  std::string seen;
  const auto server = HttpServer::Start(
      {.address = {*IpAddress::Parse("127.0.0.1"), 0}}, [&](const HttpRequest& request) {
        const std::lock_guard lock(mutex);
        seen = std::string(request.method) + " " + std::string(request.path) + "?" +
               std::string(request.query) + " " + std::string(request.header("X-A")) + " " +
               request.body;
        return HttpAnswer{.status = 429};
      });
  REQUIRE(server);
  const std::string base = "http://127.0.0.1:" + std::to_string((*server)->port());
  const auto status = Send({base + "/a?b=c#d", "POST", "X-A: 1\r\n", "body"}, Everywhere);
  REQUIRE_MESSAGE(status, status.error());
  CHECK(*status == 429);
  {
    const std::lock_guard lock(mutex);
    CHECK(seen == "POST /a?b=c 1 body");
  }
  CHECK(Send({base + "?x", "GET", "", ""}, Everywhere) == 429);
  // The address that a name has is what counts, however it is written.
  const auto refused = Send({base + "/", "GET", "", ""}, [](const IpAddress& ip) {
    return ip != *IpAddress::Parse("127.0.0.1");
  });
  REQUIRE_FALSE(refused);
  CHECK(refused.error().contains("private"));
}

// That TLS works, and that a certificate must name the host, is tested end to end (e2e_twilio).
TEST_CASE("nothing goes over TLS to whom nobody vouches for") {
  std::atomic<int> requests = 0;
  const auto server =
      HttpServer::Start({.address = {*IpAddress::Parse("127.0.0.1"), 0}}, [&](const HttpRequest&) {
        ++requests;
        return HttpAnswer{.status = 200};
      });
  REQUIRE(server);
  const HttpSend message{"https://127.0.0.1:" + std::to_string((*server)->port()), "GET", "", ""};
  CHECK(Send(message, Everywhere).error().contains(kNoAuthorities));
  const auto no_tls = SendHttp(message, Everywhere, "/etc/ssl/certs/ca-certificates.crt");
  REQUIRE_FALSE(no_tls);
  CHECK_MESSAGE(no_tls.error().contains("no TLS handshake"), no_tls.error());
  CHECK(requests == 0);
}

TEST_CASE("what cannot be sent is a sentence") {
  for (const char* url :
       {"ftp://x/", "https://", "http://", "http:///x", "http://user@x/", "x", "http://[::1/",
        "http://x:0/", "http://x:65536/", "http://x:y/", "http://x\\y/", "http://x y/"}) {
    CAPTURE(std::string(url));
    CHECK_FALSE(IsHttpUrl(url));
    CHECK_FALSE(Send({url, "GET", "", ""}, [](const IpAddress&) { return false; }));
  }
  CHECK(IsHttpUrl("https://hook.example.com:8443/a?b"));
  CHECK(IsHttpUrl("http://[2001:db8::1]/"));
  CHECK(Send({"http://127.0.0.1:1/", "GET", "", ""}, Everywhere).error().contains("connect"));
}

}  // namespace
}  // namespace turnpike
