#include "server/ops/admin_http.h"

#include <optional>
#include <string_view>
#include <utility>

#include "common/base/log.h"
#include "server/ops/api_routes.h"
#include "server/ops/metrics.h"

namespace turnpike {
namespace {

constexpr std::string_view kIndex =
    "Turnpike\n"
    "/metrics  Prometheus metrics\n"
    "/livez    200 while the process answers\n"
    "/readyz   200 while new allocations are taken, else 503\n"
    "/v1/openapi.json  what operators can see and do\n";

HttpAnswer AnswerReadyz(const MetricsSource& source) {
  std::string why;
  if (source.Ready(&why)) return {.body = "ready\n"};
  return {.status = 503, .body = (why.empty() ? "not ready" : EscapeText(why)) + "\n"};
}

constexpr std::string_view kJson = "application/json";

ApiRequest ToApi(const HttpRequest& request) {
  return {.method = request.method,
          .path = request.path,
          .query = request.query,
          .body = request.body,
          .authorization = request.header("Authorization")};
}

HttpAnswer ToHttp(ApiAnswer answer) {
  return {.status = answer.status,
          .content_type = kJson,
          .body = std::move(answer.body),
          .headers = answer.status == 401 ? "WWW-Authenticate: Bearer\r\n" : ""};
}

// Route is the site but for the API.
HttpAnswer Route(const MetricsSource& source, std::string_view method, std::string_view path) {
  if (method != "GET" && method != "HEAD") {
    return {.status = 405, .body = "use GET or HEAD\n", .headers = "Allow: GET, HEAD\r\n"};
  }
  if (path == "/metrics") {
    return {.content_type = kMetricsContentType, .body = RenderMetrics(source)};
  }
  if (path == "/livez") return {.body = "alive\n"};
  if (path == "/readyz") return AnswerReadyz(source);
  if (path == "/") return {.body = std::string(kIndex)};
  return {.status = 404, .body = "not found\n"};
}

}  // namespace

std::expected<std::unique_ptr<HttpServer>, std::string> StartAdminHttp(
    const TransportAddress& address, const MetricsSource& source, AdminActions& actions) {
  // Only the API has use for bodies, and only those of operators.
  const HttpGate gate = [&source, &actions](const HttpRequest& request) {
    if (!request.path.starts_with("/v1/")) {
      return std::optional(Route(source, request.method, request.path));
    }
    auto refusal = RefuseApi(actions, ToApi(request));
    return refusal ? std::optional(ToHttp(std::move(*refusal))) : std::nullopt;
  };
  // Two threads: one scrape and one probe at a time; more would only compete with the workers.
  return HttpServer::Start(
      {.name = "the admin endpoint", .address = address, .threads = 2, .gate = gate},
      [&actions](const HttpRequest& request) {
        if (!request.body_too_large) return ToHttp(AnswerApi(actions, ToApi(request)));
        return HttpAnswer{
            .status = 413, .content_type = kJson, .body = "{\"error\":\"too large\"}\n"};
      });
}

}  // namespace turnpike
