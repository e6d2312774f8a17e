// One HTTP/1.1 exchange, without TLS: what the admin endpoint speaks.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace turnpike {

// HttpRequest is what to ask. `url` is `http://HOST[:PORT]`, without a path.
struct HttpRequest {
  std::string url;
  std::string method = "GET";
  std::string path;
  std::string token;  // sent as `Authorization: Bearer`; empty: not sent
  std::string body;   // JSON; empty: none
};

struct HttpResponse {
  int status = 0;
  std::string body;
};

// Exchange connects, asks and reads to the end, each step for ten seconds at most and 64 MiB at
// most. It fails with a sentence that names the server.
std::expected<HttpResponse, std::string> Exchange(const HttpRequest& request);

// HttpGet fetches `http://HOST[:PORT]/PATH` and returns the body of a 200. It fails with a sentence
// on any other answer, as Exchange does, and for `https`, which it does not speak.
std::expected<std::string, std::string> HttpGet(const std::string& url);

// EncodeQuery renders `text` so that it may stand as a value in a query or as a segment of a path.
std::string EncodeQuery(std::string_view text);

}  // namespace turnpike
