#include "server/api/api_http.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/server/api/api_world.h"
#include "tests/server/http/exchange.h"

namespace turnpike {
namespace {

using nlohmann::json;
using test::BodyOf;
using test::Exchange;
using test::Get;
using test::HasHeader;
using test::Request;
using test::StatusOf;

// Site is an endpoint that the tests share: stopping one takes two seconds.
struct Site {
  test::ApiWorld world;
  std::unique_ptr<HttpServer> http =
      StartApiHttp({*IpAddress::Parse("127.0.0.1"), 0}, *world.service).value();
};

HttpServer& TheServer() {
  static Site site;
  return *site.http;
}

std::string GetOnce(const std::string& path) {
  return Request(TheServer(), "GET", path, "Connection: close\r\n");
}

TEST_CASE("edges are told with their URIs") {
  const std::string response = GetOnce("/v1/edges");
  CHECK(StatusOf(response) == 200);
  CHECK(HasHeader(response, "Content-Type: application/json"));
  const json edges = json::parse(BodyOf(response)).at("edges");
  REQUIRE(edges.size() == 2);
  CHECK(edges[0].at("name") == "ashburn");
  CHECK(edges[0].at("uris") == json{"stun:turn-us1.example.com:3478",
                                    "turn:turn-us1.example.com:3478?transport=udp",
                                    "turn:turn-us1.example.com:3478?transport=tcp",
                                    "turn:turn-us1.example.com:443?transport=tcp",
                                    "turns:turn-us1.example.com:5349?transport=tcp"});
}

TEST_CASE("a page is served with rules that keep scripts from elsewhere out") {
  const std::string response = GetOnce("/");
  CHECK(StatusOf(response) == 200);
  CHECK(HasHeader(response, "Content-Type: text/html; charset=utf-8"));
  CHECK(response.find("script-src 'self'; style-src 'self'") != std::string::npos);
  CHECK(BodyOf(response).starts_with("<!doctype html>"));
  CHECK(StatusOf(Request(TheServer(), "POST", "/", "Connection: close\r\n")) == 405);
}

TEST_CASE("errors have code, message, more_info and status") {
  const std::string response = GetOnce("/nowhere");
  CHECK(StatusOf(response) == 404);
  CHECK(json::parse(BodyOf(response)) == json{{"code", 20404},
                                              {"message", "The requested resource was not found"},
                                              {"more_info", "/v1/errors#20404"},
                                              {"status", 404}});
  const std::string wrong = Request(TheServer(), "DELETE", "/v1/edges", "Connection: close\r\n");
  CHECK(StatusOf(wrong) == 405);
  CHECK(HasHeader(wrong, "Allow: GET"));
  const std::string large =
      Request(TheServer(), "POST", "/v1/edges", "Connection: close\r\nContent-Length: 70000\r\n",
              std::string(70'000, 'x'));
  CHECK(StatusOf(large) == 413);
}

TEST_CASE(
    "RFC 9112 §6.3: what could be read in two ways, or is no HTTP, is refused in that shape") {
  const std::string post = "POST /turn HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
  for (const std::string& request :
       {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        std::string("GET / X-Evil: 1\r\n\r\n")}) {
    const std::string response = Exchange(TheServer(), request);
    CHECK(StatusOf(response) == 400);
    CHECK(json::parse(BodyOf(response)).at("code") == 20400);
    CHECK_FALSE(response.contains("Evil"));
  }
  CHECK(StatusOf(Request(TheServer(), "POST", "/turn",
                         "Connection: close\r\nContent-Length: 1000000000000\r\n")) == 413);
  CHECK(StatusOf(GetOnce("/v1/edges%00")) == 404);
}

TEST_CASE("a connection takes one request after the other") {
  const std::string request = "GET /v1/errors HTTP/1.1\r\nHost: x\r\n";
  const std::string both =
      Exchange(TheServer(), request + "\r\n" + request + "Connection: close\r\n\r\n");
  CHECK(HasHeader(both, "Connection: keep-alive"));
  CHECK(both.find("HTTP/1.1 200 OK", 20) != std::string::npos);
}

}  // namespace
}  // namespace turnpike
