#include "server/http/http_server.h"

#include <civetweb.h>
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "server/http/signals_blocked.h"

namespace turnpike {
namespace {

// How long a client may take to send its request or to take the answer.
constexpr const char* kTimeoutMs = "5000";
// How long a connection may wait for its next request: it holds a thread meanwhile.
constexpr const char* kIdleMs = "500";
constexpr const char* kMaxRequestBytes = "8192";
// A client that still sends may not see an answer when the connection ends; so much of a body that
// is too large is taken, and thrown away, for its sake.
constexpr long long kMaxDiscardedBytes = 16 << 20;

std::string_view StatusText(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    default:
      return "Service Unavailable";
  }
}

// IsSound says whether a proxy before this server would see the same message: it has one length at
// most (RFC 9112 §6.3), and no header more than the library keeps.
bool IsSound(const mg_request_info& request) {
  int lengths = 0;
  for (int i = 0; i < request.num_headers; ++i) {
    const char* const name = request.http_headers[i].name;
    if (mg_strcasecmp(name, "Content-Length") == 0) ++lengths;
    if (mg_strcasecmp(name, "Transfer-Encoding") == 0) ++lengths;
  }
  return lengths <= 1 && request.num_headers < MG_MAX_HEADERS;
}

enum class BodyFault : uint8_t { kTooLarge, kIncomplete };

// ReadBody returns the request's body; one that ends early, or comes too slowly, is incomplete.
std::expected<std::string, BodyFault> ReadBody(mg_connection* connection,
                                               const mg_request_info& request, size_t max_bytes) {
  const long long length = request.content_length;  // -1: it is chunked, or there is none
  if (length > static_cast<long long>(max_bytes)) return std::unexpected(BodyFault::kTooLarge);
  std::string body;
  std::array<char, 4096> buffer;
  while (body.size() <= max_bytes) {
    const int got = mg_read(connection, buffer.data(), buffer.size());
    if (got > 0) {
      body.append(buffer.data(), static_cast<size_t>(got));
      continue;
    }
    const bool is_whole = got == 0 && (length < 0 || body.size() == static_cast<size_t>(length));
    return is_whole ? std::expected<std::string, BodyFault>(std::move(body))
                    : std::unexpected(BodyFault::kIncomplete);
  }
  return std::unexpected(BodyFault::kTooLarge);
}

// WillKeepAlive foresees what the library does with the connection after the answer.
bool WillKeepAlive(const mg_connection* connection, const mg_request_info& request) {
  const char* const wish = mg_get_header(connection, "Connection");
  const auto is = [&](const char* word) { return mg_strcasecmp(wish, word) == 0; };
  if (wish != nullptr && is("keep-alive")) return true;
  if (wish != nullptr && is("close")) return false;
  return request.http_version != nullptr && std::string_view(request.http_version) == "1.1";
}

void Write(mg_connection* connection, const HttpAnswer& answer, bool with_body, bool keep_alive) {
  std::string message = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\nConnection: {}\r\n{}\r\n",
      answer.status, StatusText(answer.status), answer.content_type, answer.body.size(),
      keep_alive ? "keep-alive" : "close", answer.headers);
  if (with_body) message += answer.body;
  mg_write(connection, message.data(), message.size());
}

// Site is what all requests are answered from.
struct Site {
  HttpOptions options;
  HttpHandler handler;
};

// Refuse answers and ends the connection: else the library would wait for a body in order to throw
// it away.
int Refuse(mg_connection* connection, const HttpAnswer& answer, bool with_body) {
  mg_disable_connection_keep_alive(connection);
  Write(connection, answer, with_body, false);
  return answer.status;
}

HttpAnswer Unsound(const Site& site, int status) {
  if (site.options.refuse) return site.options.refuse(status);
  return {.status = status, .body = "this is no sound request of HTTP/1.1\n"};
}

// OnRequest answers every request itself: a non-zero result tells civetweb that it is done, so that
// none of its own handlers (files, CGI, upload) is ever reached.
int OnRequest(mg_connection* connection) {
  const mg_request_info* info = mg_get_request_info(connection);
  const Site& site = *static_cast<const Site*>(info->user_data);
  HttpRequest request;
  request.method = info->request_method;
  const bool wants_body = request.method != "HEAD";
  request.path = info->local_uri_raw != nullptr ? info->local_uri_raw : "";
  request.query = info->query_string != nullptr ? info->query_string : "";
  request.peer = IpAddress::Parse(info->remote_addr).value_or(IpAddress());
  request.header = [connection](const char* name) -> std::string_view {
    const char* const value = mg_get_header(connection, name);
    return value != nullptr ? std::string_view(value) : std::string_view();
  };
  if (!IsSound(*info)) return Refuse(connection, Unsound(site, 400), wants_body);
  if (site.options.gate) {
    if (const auto refusal = site.options.gate(request)) {
      return Refuse(connection, *refusal, wants_body);
    }
  }
  auto body = ReadBody(connection, *info, site.options.max_body_bytes);
  if (!body && body.error() == BodyFault::kIncomplete) {
    return Refuse(connection, Unsound(site, 400), wants_body);
  }
  request.body_too_large = !body.has_value();
  if (body) request.body = std::move(*body);
  const HttpAnswer answer = site.handler(request);
  if (request.body_too_large && info->content_length > kMaxDiscardedBytes) {
    return Refuse(connection, answer, wants_body);
  }
  const bool keep_alive = site.options.keep_alive && WillKeepAlive(connection, *info);
  Write(connection, answer, wants_body && answer.status != 204, keep_alive);
  return answer.status;
}

// OnError answers what the library could not read. Its own page repeats bytes of the request.
int OnError(mg_connection* connection, int status, const char*) {
  const Site& site = *static_cast<const Site*>(mg_get_user_data(mg_get_context(connection)));
  Refuse(connection, Unsound(site, status), true);
  return 0;
}

// OnLog silences civetweb, which writes to standard error: a client could otherwise fill the log.
int OnLog(const mg_connection*, const char*) { return 1; }

}  // namespace

// Impl owns the library's use count and its server.
class HttpServer::Impl {
 public:
  // 0 features: with TLS among them civetweb would load OpenSSL beside BoringSSL.
  Impl(HttpOptions options, HttpHandler handler) : site_{std::move(options), std::move(handler)} {
    mg_init_library(0);
  }
  ~Impl() {
    if (context_ != nullptr) mg_stop(context_);
    mg_exit_library();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  bool Start() {
    const std::string listen = site_.options.address.ToString();
    const std::string threads = std::to_string(site_.options.threads);
    // There is no document_root, without which civetweb serves no file.
    // clang-format off
    const auto options = std::to_array<const char*>({
        "listening_ports", listen.c_str(),
        "num_threads", threads.c_str(),
        "request_timeout_ms", kTimeoutMs,
        "max_request_size", kMaxRequestBytes,
        "enable_directory_listing", "no",
        "enable_keep_alive", site_.options.keep_alive ? "yes" : "no",
        "keep_alive_timeout_ms", kIdleMs,
        "tcp_nodelay", "1",
        // Paths are compared as they were sent.
        "decode_url", "no",
        // A request may name this server in full (RFC 9112 §3.2.2), by whatever name.
        "enable_auth_domain_check", "no",
        // Empty: no answer of the library's own to a CORS preflight.
        "access_control_allow_origin", "",
        "access_control_allow_methods", "",
        "access_control_allow_headers", "",
        nullptr,
    });
    // clang-format on
    mg_callbacks callbacks{};
    callbacks.begin_request = OnRequest;
    callbacks.http_error = OnError;
    callbacks.log_message = OnLog;
    callbacks.log_access = OnLog;
    const SignalsBlocked blocked;
    context_ = mg_start(&callbacks, &site_, const_cast<const char**>(options.data()));
    return context_ != nullptr;
  }

  uint16_t port() const {
    mg_server_port port{};
    return mg_get_server_ports(context_, 1, &port) == 1 ? static_cast<uint16_t>(port.port) : 0;
  }

 private:
  Site site_;
  mg_context* context_ = nullptr;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

std::expected<std::unique_ptr<HttpServer>, std::string> HttpServer::Start(HttpOptions options,
                                                                          HttpHandler handler) {
  const std::string name = options.name;
  const TransportAddress address = options.address;
  if (!address.ip.is_v4() && mg_check_feature(8) == 0) {
    return std::unexpected(
        fmt::format("{} cannot listen on {}: the HTTP library has no IPv6; use an IPv4 address "
                    "such as 127.0.0.1",
                    name, address.ToString()));
  }
  auto impl = std::make_unique<Impl>(std::move(options), std::move(handler));
  if (!impl->Start()) {
    return std::unexpected(
        fmt::format("{} cannot listen on {}: another program has the port, the address is not this "
                    "host's, or the port needs privileges",
                    name, address.ToString()));
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

uint16_t HttpServer::port() const { return impl_->port(); }

}  // namespace turnpike
