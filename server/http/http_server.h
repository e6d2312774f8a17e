// An HTTP server for answers that are made in memory. civetweb serves and stays inside
// http_server.cc.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/net/transport_address.h"

namespace turnpike {

// HttpRequest is one request. Its views last until it is answered.
struct HttpRequest {
  std::string_view method;
  std::string_view path;   // as it was sent: still encoded, and not normalised
  std::string_view query;  // behind the `?`, still encoded
  std::string body;
  bool body_too_large = false;  // then `body` is empty, and the answer should be a 413
  IpAddress peer;               // of the connection: the client's, or a proxy's
  // header returns the value of the header with this name; empty: there is none.
  std::function<std::string_view(const char* name)> header = [](const char*) {
    return std::string_view();
  };
};

// HttpAnswer is what goes back.
struct HttpAnswer {
  int status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";  // of static storage
  std::string body = {};
  std::string headers = {};  // further whole lines, each with its \r\n; never bytes from outside
};

// HttpHandler answers a request. Threads of the server call it at the same time.
using HttpHandler = std::function<HttpAnswer(const HttpRequest& request)>;

// HttpGate is asked before a request's body is read. What it answers is the answer: a body that is
// not wanted, or comes slowly, then keeps no thread.
using HttpGate = std::function<std::optional<HttpAnswer>(const HttpRequest& request)>;

// HttpRefuse makes the answer to what is no sound HTTP/1.1, or breaks off; `status` is 400 or
// above.
using HttpRefuse = std::function<HttpAnswer(int status)>;

struct HttpOptions {
  std::string name = "the endpoint";  // in errors
  TransportAddress address;           // port 0 picks a free one
  int threads = 2;                    // requests, and kept connections, at a time
  bool keep_alive = false;            // whether a connection takes more than one request
  size_t max_body_bytes = 65536;
  HttpGate gate = {};      // empty: every body is read
  HttpRefuse refuse = {};  // empty: a sentence
};

// HttpServer answers HTTP without TLS from threads of its own, which take no signals. It serves no
// file and answers nothing by itself; what is no HTTP at all, or has two lengths, gets
// HttpRefuse's.
class HttpServer {
 public:
  // Start listens. It fails with a sentence when the address is taken, is not this host's, or is
  // IPv6, which the library as Debian builds it cannot serve.
  static std::expected<std::unique_ptr<HttpServer>, std::string> Start(HttpOptions options,
                                                                       HttpHandler handler);

  // The destructor stops the threads; a request in progress is answered first. It takes up to two
  // seconds: civetweb's listening thread looks up no more often.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // port returns the port that it listens on.
  uint16_t port() const;

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike
