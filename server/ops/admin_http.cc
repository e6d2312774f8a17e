#include "server/ops/admin_http.h"

#include <civetweb.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>

#include <array>
#include <string_view>

#include "common/base/log.h"
#include "server/ops/metrics.h"

namespace turnpike {
namespace {

// One scrape and one probe at a time; more would only compete with the relay workers.
constexpr const char* kThreads = "2";
// How long a client may take to send its request or to take the answer.
constexpr const char* kTimeoutMs = "5000";
constexpr const char* kMaxRequestBytes = "8192";

constexpr std::string_view kPlainText = "text/plain; charset=utf-8";
constexpr std::string_view kIndex =
    "Turnpike\n"
    "/metrics  Prometheus metrics\n"
    "/livez    200 while the process answers\n"
    "/readyz   200 while new allocations are taken, else 503\n";

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
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    default:
      return "Service Unavailable";
  }
}

Answer AnswerReadyz(const MetricsSource& source) {
  std::string why;
  if (source.Ready(&why)) return {.body = "ready\n"};
  return {.status = 503, .body = (why.empty() ? "not ready" : EscapeText(why)) + "\n"};
}

// Route is the whole site.
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
  const auto& source = *static_cast<const MetricsSource*>(request->user_data);
  const std::string_view method = request->request_method;
  const std::string_view path = request->local_uri_raw != nullptr ? request->local_uri_raw : "";
  const Answer answer = Route(source, method, path);
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
  Impl() { mg_init_library(0); }
  ~Impl() {
    if (context_ != nullptr) mg_stop(context_);
    mg_exit_library();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  bool Start(const TransportAddress& address, const MetricsSource& source) {
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
    // The library only hands the pointer back, and OnRequest makes it const again.
    context_ = mg_start(&callbacks, const_cast<MetricsSource*>(&source),
                        const_cast<const char**>(options.data()));
    return context_ != nullptr;
  }

  uint16_t port() const {
    mg_server_port port{};
    return mg_get_server_ports(context_, 1, &port) == 1 ? static_cast<uint16_t>(port.port) : 0;
  }

 private:
  mg_context* context_ = nullptr;
};

AdminHttp::AdminHttp(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AdminHttp::~AdminHttp() = default;

std::expected<std::unique_ptr<AdminHttp>, std::string> AdminHttp::Start(
    const TransportAddress& address, const MetricsSource& source) {
  if (!address.ip.is_v4() && mg_check_feature(8) == 0) {
    return std::unexpected(
        fmt::format("the admin endpoint cannot listen on {}: the HTTP library has no IPv6; "
                    "use an IPv4 address such as 127.0.0.1",
                    address.ToString()));
  }
  auto impl = std::make_unique<Impl>();
  if (!impl->Start(address, source)) {
    return std::unexpected(fmt::format(
        "the admin endpoint cannot listen on {}: another program has the port, the address is "
        "not this host's, or the port needs privileges",
        address.ToString()));
  }
  return std::unique_ptr<AdminHttp>(new AdminHttp(std::move(impl)));
}

uint16_t AdminHttp::port() const { return impl_->port(); }

}  // namespace turnpike
