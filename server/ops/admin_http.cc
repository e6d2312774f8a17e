#include "server/ops/admin_http.h"

#include <civetweb.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/log.h"
#include "server/ops/api_routes.h"
#include "server/ops/metrics.h"

namespace turnpike {
namespace {

// One scrape and one probe at a time; more would only compete with the relay workers.
constexpr const char* kThreads = "2";
// How long a client may take to send its request or to take the answer.
constexpr const char* kTimeoutMs = "5000";
constexpr const char* kMaxRequestBytes = "8192";
constexpr size_t kMaxBodyBytes = 65536;

constexpr std::string_view kPlainText = "text/plain; charset=utf-8";
constexpr std::string_view kIndex =
    "Turnpike\n"
    "/metrics  Prometheus metrics\n"
    "/livez    200 while the process answers\n"
    "/readyz   200 while new allocations are taken, else 503\n"
    "/v1/openapi.json  what operators can see and do\n";

// Site is what all requests are answered from.
struct Site {
  const MetricsSource& source;
  AdminActions& actions;
};

struct Answer {
  int status = 200;
  std::string_view content_type = kPlainText;
  std::string body = "";
  std::string_view extra_header = "";
};

std::string_view StatusText(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
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
    case 413:
      return "Content Too Large";
    case 422:
      return "Unprocessable Content";
    case 500:
      return "Internal Server Error";
    default:
      return "Service Unavailable";
  }
}

Answer AnswerReadyz(const MetricsSource& source) {
  std::string why;
  if (source.Ready(&why)) return {.body = "ready\n"};
  return {.status = 503, .body = (why.empty() ? "not ready" : EscapeText(why)) + "\n"};
}

// ReadBody returns the request's body, or nullopt when it is too large.
std::optional<std::string> ReadBody(mg_connection* connection, const mg_request_info& request) {
  if (request.content_length > static_cast<long long>(kMaxBodyBytes)) return std::nullopt;
  std::string body;
  std::array<char, 4096> buffer;
  while (body.size() <= kMaxBodyBytes) {
    const int got = mg_read(connection, buffer.data(), buffer.size());
    if (got <= 0) return body;
    body.append(buffer.data(), static_cast<size_t>(got));
  }
  return std::nullopt;
}

Answer RouteApi(mg_connection* connection, const mg_request_info& request, AdminActions& actions,
                std::string_view method, std::string_view path) {
  constexpr std::string_view kJson = "application/json";
  const auto body = ReadBody(connection, request);
  if (!body) return {.status = 413, .content_type = kJson, .body = "{\"error\":\"too large\"}\n"};
  const char* const authorization = mg_get_header(connection, "Authorization");
  ApiAnswer answer =
      AnswerApi(actions, {.method = method,
                          .path = path,
                          .query = request.query_string != nullptr ? request.query_string : "",
                          .body = *body,
                          .authorization = authorization != nullptr ? authorization : ""});
  return {.status = answer.status,
          .content_type = kJson,
          .body = std::move(answer.body),
          .extra_header = answer.status == 401 ? "WWW-Authenticate: Bearer\r\n" : ""};
}

// Route is the site but for the API.
Answer Route(const MetricsSource& source, std::string_view method, std::string_view path) {
  if (method != "GET" && method != "HEAD") {
    return {.status = 405, .body = "use GET or HEAD\n", .extra_header = "Allow: GET, HEAD\r\n"};
  }
  if (path == "/metrics") {
    return {.content_type = kMetricsContentType, .body = RenderMetrics(source)};
  }
  if (path == "/livez") return {.body = "alive\n"};
  if (path == "/readyz") return AnswerReadyz(source);
  if (path == "/") return {.body = std::string(kIndex)};
  return {.status = 404, .body = "not found\n"};
}

void Write(mg_connection* connection, const Answer& answer, bool with_body) {
  std::string message = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\nConnection: close\r\n{}\r\n",
      answer.status, StatusText(answer.status), answer.content_type, answer.body.size(),
      answer.extra_header);
  if (with_body) message += answer.body;
  mg_write(connection, message.data(), message.size());
}

// OnRequest answers every request itself: a non-zero result tells civetweb that it is done, so that
// none of its own handlers (files, CGI, upload) is ever reached.
int OnRequest(mg_connection* connection) {
  const mg_request_info* request = mg_get_request_info(connection);
  const Site& site = *static_cast<const Site*>(request->user_data);
  const std::string_view method = request->request_method;
  const std::string_view path = request->local_uri_raw != nullptr ? request->local_uri_raw : "";
  const Answer answer = path.starts_with("/v1/")
                            ? RouteApi(connection, *request, site.actions, method, path)
                            : Route(site.source, method, path);
  Write(connection, answer, method != "HEAD");
  return answer.status;
}

// OnLog silences civetweb, which writes to standard error: a client could otherwise fill the log.
int OnLog(const mg_connection*, const char*) { return 1; }

// SignalsBlocked keeps signals off the threads that are started while it lives: they belong to the
// main thread.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

// Impl owns the library's use count and its server.
class AdminHttp::Impl {
 public:
  // 0 features: with TLS among them civetweb would load OpenSSL beside BoringSSL.
  Impl(const MetricsSource& source, AdminActions& actions) : site_{source, actions} {
    mg_init_library(0);
  }
  ~Impl() {
    if (context_ != nullptr) mg_stop(context_);
    mg_exit_library();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  bool Start(const TransportAddress& address) {
    const std::string listen = address.ToString();
    // There is no document_root, without which civetweb serves no file.
    // clang-format off
    const auto options = std::to_array<const char*>({
        "listening_ports", listen.c_str(),
        "num_threads", kThreads,
        "request_timeout_ms", kTimeoutMs,
        "max_request_size", kMaxRequestBytes,
        "enable_directory_listing", "no",
        "enable_keep_alive", "no",
        // Empty: no answer of the library's own to a CORS preflight.
        "access_control_allow_origin", "",
        "access_control_allow_methods", "",
        "access_control_allow_headers", "",
        nullptr,
    });
    // clang-format on
    mg_callbacks callbacks{};
    callbacks.begin_request = OnRequest;
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

AdminHttp::AdminHttp(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AdminHttp::~AdminHttp() = default;

std::expected<std::unique_ptr<AdminHttp>, std::string> AdminHttp::Start(
    const TransportAddress& address, const MetricsSource& source, AdminActions& actions) {
  if (!address.ip.is_v4() && mg_check_feature(8) == 0) {
    return std::unexpected(
        fmt::format("the admin endpoint cannot listen on {}: the HTTP library has no IPv6; "
                    "use an IPv4 address such as 127.0.0.1",
                    address.ToString()));
  }
  auto impl = std::make_unique<Impl>(source, actions);
  if (!impl->Start(address)) {
    return std::unexpected(fmt::format(
        "the admin endpoint cannot listen on {}: another program has the port, the address is "
        "not this host's, or the port needs privileges",
        address.ToString()));
  }
  return std::unique_ptr<AdminHttp>(new AdminHttp(std::move(impl)));
}

uint16_t AdminHttp::port() const { return impl_->port(); }

}  // namespace turnpike
