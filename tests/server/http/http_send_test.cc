#include "server/http/http_send.h"

#include <doctest/doctest.h>

#include <mutex>

#include "server/http/http_server.h"

namespace turnpike {
namespace {

bool Everywhere(const IpAddress&) { return true; }

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
  const auto status = SendHttp({base + "/a?b=c#d", "POST", "X-A: 1\r\n", "body"}, Everywhere);
  REQUIRE_MESSAGE(status, status.error());
  CHECK(*status == 429);
  {
    const std::lock_guard lock(mutex);
    CHECK(seen == "POST /a?b=c 1 body");
  }
  CHECK(SendHttp({base + "?x", "GET", "", ""}, Everywhere) == 429);
  // The address that a name has is what counts, however it is written.
  const auto refused = SendHttp({base + "/", "GET", "", ""}, [](const IpAddress& ip) {
    return ip != *IpAddress::Parse("127.0.0.1");
  });
  REQUIRE_FALSE(refused);
  CHECK(refused.error().contains("private"));
}

TEST_CASE("what cannot be sent is a sentence") {
  for (const char* url :
       {"https://x/", "http://", "http:///x", "http://user@x/", "x", "http://[::1/"}) {
    CAPTURE(std::string(url));
    CHECK_FALSE(SendHttp({url, "GET", "", ""}, [](const IpAddress&) { return false; }));
  }
  CHECK(SendHttp({"http://127.0.0.1:1/", "GET", "", ""}, Everywhere).error().contains("connect"));
}

}  // namespace
}  // namespace turnpike
