#include "server/ops/api_routes.h"

#include <algorithm>
#include <expected>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/base/log.h"
#include "common/base/version.h"
#include "server/http/path.h"
#include "server/ops/api_sessions.h"

namespace turnpike {
namespace {

using nlohmann::json;

// Dump renders problems and changes; names of files in them may be any bytes.
std::string Dump(const json& answer) {
  return answer.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

ApiAnswer StartDrain(AdminActions& actions, const ApiRequest&, std::string_view) {
  actions.Drain();
  return {202, json{{"draining", true}, {"sessions", actions.LiveSessions()}}.dump() + "\n"};
}

ApiAnswer ReloadConfig(AdminActions& actions, const ApiRequest&, std::string_view) {
  const ReloadReport report = actions.Reload();
  if (!report.ok()) {
    const json answer = {{"error", "nothing was changed"}, {"problems", report.problems}};
    return {422, Dump(answer)};
  }
  const json answer = {{"changes", report.changes}, {"needs_restart", report.needs_restart}};
  return {200, Dump(answer)};
}

ApiAnswer ListLimits(AdminActions& actions, const ApiRequest&, std::string_view) {
  json rows = json::array();
  for (const QuotaUse& each : actions.Quotas()) {
    rows.push_back({{"limit", each.quota},
                    {"unit", each.unit},
                    {"used", each.used},
                    {"of", each.limit},
                    {"ratio", static_cast<double>(each.millionths()) / 1e6},
                    {"who", EscapeText(each.who)}});
  }
  return {200, Dump({{"rows", std::move(rows)}})};
}

ApiAnswer Describe(AdminActions&, const ApiRequest&, std::string_view) { return {200, OpenApi()}; }

// clang-format off
constexpr ApiRoute kRoutes[] = {
    {"GET", "/v1/limits", "listLimits",
     "How much of each limit is in use, and by whom most.", "", "", true, ListLimits},
    {"GET", "/v1/sessions", "listSessions",
     "Sessions that live, with their bytes and rates; sort by rate (top talkers), bytes or age.",
     "account username label transport address sort limit", "", true, ListSessions},
    {"DELETE", "/v1/sessions/{id}", "killSession",
     "Ends a session at once; its bytes are billed.", "", "", true, KillSession},
    {"POST", "/v1/credentials/revoke", "revokeCredentials",
     "Refuses new allocations to a username, or an account and label, until a time, also after a "
     "restart, and ends the sessions that it has.",
     "", "username account label until", true, RevokeCredentials},
    {"POST", "/v1/drain", "drain",
     "Refuses new allocations; the server ends when the last session has, or at its deadline.",
     "", "", true, StartDrain},
    {"POST", "/v1/reload", "reload",
     "Reads the configuration again: all of it, or, when anything is wrong, none.",
     "", "", true, ReloadConfig},
    {"GET", "/v1/openapi.json", "describe", "This description.", "", "", false, Describe},
};
// clang-format on

// IsSame compares in a time that tells nothing of where the texts differ.
bool IsSame(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

std::optional<ApiAnswer> Forbids(const AdminActions& actions, const ApiRequest& request) {
  const std::string token = actions.admin_token();
  if (token.empty()) {
    return ApiError(403, "set admin.token in the server's configuration to use this");
  }
  constexpr std::string_view kScheme = "Bearer ";
  if (!request.authorization.starts_with(kScheme) ||
      !IsSame(request.authorization.substr(kScheme.size()), token)) {
    return ApiError(401, "send the header `Authorization: Bearer TOKEN` with admin.token");
  }
  return std::nullopt;
}

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    words.emplace_back(word);
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return words;
}

json Operation(const ApiRoute& route) {
  json operation = {{"operationId", route.name}, {"summary", route.summary}};
  json parameters = json::array();
  if (route.path.find("{id}") != std::string_view::npos) {
    parameters.push_back(
        {{"name", "id"}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  }
  for (const std::string& name : Words(route.parameters)) {
    const char* const type = name == "limit" ? "integer" : "string";
    parameters.push_back({{"name", name}, {"in", "query"}, {"schema", {{"type", type}}}});
  }
  if (!parameters.empty()) operation["parameters"] = parameters;
  if (!route.body.empty()) {
    json properties = json::object();
    for (const std::string& name : Words(route.body)) properties[name] = {{"type", "string"}};
    operation["requestBody"]["content"]["application/json"]["schema"] = {
        {"type", "object"}, {"properties", properties}};
  }
  operation["responses"]["default"]["description"] =
      "A JSON object; with `error`, a sentence, when the status is 400 or above.";
  operation["security"] = json::array();
  if (route.needs_token) operation["security"].push_back({{"token", json::array()}});
  return operation;
}

// Found is a route, and what stands for `{id}` in its path.
struct Found {
  const ApiRoute* route;
  std::string_view id;
};

std::expected<Found, ApiAnswer> FindRoute(const AdminActions& actions, const ApiRequest& request) {
  std::string allowed;
  for (const ApiRoute& route : kRoutes) {
    const auto ids = MatchPath(route.path, request.path);
    if (!ids) continue;
    if (route.method != request.method) {
      allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
      continue;
    }
    if (route.needs_token) {
      if (auto refusal = Forbids(actions, request)) return std::unexpected(*refusal);
    }
    return Found{&route, ids->empty() ? std::string_view() : ids->front()};
  }
  if (!allowed.empty()) return std::unexpected(ApiError(405, "use " + allowed));
  return std::unexpected(
      ApiError(404, "there is no such path; GET /v1/openapi.json describes those that are"));
}

}  // namespace

std::span<const ApiRoute> ApiRoutes() { return kRoutes; }

std::optional<ApiAnswer> RefuseApi(const AdminActions& actions, const ApiRequest& request) {
  const auto found = FindRoute(actions, request);
  return found ? std::nullopt : std::optional(found.error());
}

ApiAnswer AnswerApi(AdminActions& actions, const ApiRequest& request) {
  const auto found = FindRoute(actions, request);
  return found ? found->route->answer(actions, request, found->id) : found.error();
}

std::string OpenApi() {
  json document = {{"openapi", "3.1.0"},
                   {"info", {{"title", "Turnpike's admin API"}, {"version", kVersion}}}};
  document["components"]["securitySchemes"]["token"] = {{"type", "http"}, {"scheme", "bearer"}};
  for (const ApiRoute& route : kRoutes) {
    std::string method(route.method);
    std::ranges::transform(method, method.begin(),
                           [](char c) { return static_cast<char>(c - 'A' + 'a'); });
    document["paths"][std::string(route.path)][method] = Operation(route);
  }
  return document.dump(2) + "\n";
}

}  // namespace turnpike
