#include "server/api/routes.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/base/version.h"
#include "server/api/access.h"
#include "server/api/edges.h"
#include "server/api/errors.h"
#include "server/api/invoices.h"
#include "server/api/nettest.h"
#include "server/api/pages.h"
#include "server/api/tokens.h"
#include "server/api/triggers.h"
#include "server/api/usage_records.h"
#include "server/http/path.h"

namespace turnpike {
namespace {

using nlohmann::ordered_json;

HttpAnswer Describe(ApiService&, const ApiCall&) { return JsonAnswer(DescribePublic()); }

HttpAnswer ListErrors(ApiService&, const ApiCall&) {
  ordered_json errors = ordered_json::array();
  for (const ErrorRow& row : ErrorRows()) {
    errors.push_back(
        {{"code", static_cast<int>(row.code)}, {"status", row.status}, {"message", row.message}});
  }
  return JsonAnswer(ordered_json{{"errors", errors}}.dump(2) + "\n");
}

// clang-format off
constexpr PublicRoute kRoutes[] = {
    {"POST", "/2010-04-01/Accounts/{AccountSid}/Tokens.json", "createToken",
     "A time-limited credential, and the ICE servers that take it.",
     "Ttl Label Edge ClientAddress", CreateToken},
    {"GET", "/2010-04-01/Accounts/{AccountSid}/Usage/Records.json", "listUsage",
     "Usage and its price, by category.",
     "Category StartDate EndDate PageSize Page", ListUsage},
    {"GET", "/2010-04-01/Accounts/{AccountSid}/Usage/Records/{Period}.json", "listUsageOf",
     "The same by Daily, Monthly, Yearly, or for AllTime, Today, Yesterday, ThisMonth, LastMonth.",
     "Category StartDate EndDate PageSize Page", ListUsage},
    {"GET", "/2010-04-01/Accounts/{AccountSid}/Usage/Triggers.json", "listTriggers",
     "Usage triggers.", "Recurring TriggerBy UsageCategory PageSize Page", ListTriggers},
    {"POST", "/2010-04-01/Accounts/{AccountSid}/Usage/Triggers.json", "createTrigger",
     "A webhook that is called once in each period in which usage reaches a value.",
     "CallbackUrl CallbackMethod FriendlyName Recurring TriggerBy TriggerValue UsageCategory",
     CreateTrigger},
    {"GET", "/2010-04-01/Accounts/{AccountSid}/Usage/Triggers/{Sid}.json", "fetchTrigger",
     "One trigger.", "", FetchTrigger},
    {"DELETE", "/2010-04-01/Accounts/{AccountSid}/Usage/Triggers/{Sid}.json", "removeTrigger",
     "Removes a trigger.", "", RemoveTrigger},
    {"GET", "/2010-04-01/Accounts/{AccountSid}/Invoices/{Month}.html", "fetchInvoice",
     "The invoice of a month, YYYY-MM, as a page to print.", "", FetchInvoice},
    {"GET", "/turn", "mintByRest",
     "A time-limited credential by the REST convention; `key` is an API key, `username` a label.",
     "username ttl key Edge ClientAddress", MintByRest},
    {"POST", "/turn", "mintByRestForm", "The same with a form.",
     "username ttl Edge ClientAddress", MintByRest},
    {"GET", "/v1/edges", "listEdges",
     "The edges of the fleet, with the URIs by which a client can reach or probe each.",
     "", ListEdges},
    {"POST", "/v1/nettest/token", "giveNettestCredential",
     "A credential of ten minutes for the page /nettest, on the account that api.nettest names.",
     "", GiveNettestCredential},
    {"GET", "/v1/errors", "listErrors", "What the codes in error bodies mean.", "", ListErrors},
    {"GET", "/v1/openapi.json", "describe", "This description.", "", Describe},
};
// clang-format on

// IsForm says whether the body is a form, or there is none. Without a type it is taken for one.
bool IsForm(const HttpRequest& request) {
  constexpr std::string_view kForm = "application/x-www-form-urlencoded";
  std::string type(request.header("Content-Type"));
  type.resize(std::min(type.find_first_of("; \t"), type.size()));
  std::ranges::transform(type, type.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  });
  return request.body.empty() || type.empty() || type == kForm;
}

std::vector<std::string> Words(std::string_view text, char separator) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(separator));
    if (!word.empty()) words.emplace_back(word);
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return words;
}

ordered_json Operation(const PublicRoute& route) {
  ordered_json operation = {{"operationId", route.name}, {"summary", route.summary}};
  ordered_json parameters = ordered_json::array();
  const ordered_json text = {{"type", "string"}};
  for (std::string_view rest = route.path; rest.find('{') != std::string_view::npos;) {
    rest.remove_prefix(rest.find('{') + 1);
    parameters.push_back({{"name", rest.substr(0, rest.find('}'))},
                          {"in", "path"},
                          {"required", true},
                          {"schema", text}});
  }
  ordered_json form = ordered_json::object();
  for (const std::string& name : Words(route.parameters, ' ')) {
    if (route.method == "POST") {
      form[name] = text;
    } else {
      parameters.push_back({{"name", name}, {"in", "query"}, {"schema", text}});
    }
  }
  if (!parameters.empty()) operation["parameters"] = parameters;
  if (!form.empty()) {
    operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"] = {
        {"type", "object"}, {"properties", form}};
  }
  operation["responses"]["default"]["description"] =
      "A JSON object; with `code`, `message`, `more_info` and `status` when the status is 400 or "
      "above.";
  return operation;
}

}  // namespace

std::span<const PublicRoute> PublicRoutes() { return kRoutes; }

HttpAnswer AnswerPublic(ApiService& service, const HttpRequest& request) {
  if (auto allowed = AllowAddress(service, request); !allowed) return allowed.error();
  if (request.body_too_large) return ErrorAnswer(ErrorCode::kTooLarge);
  const bool is_head = request.method == "HEAD";
  const std::string_view method = is_head ? "GET" : request.method;
  std::string allowed;
  for (const PublicRoute& route : kRoutes) {
    auto ids = MatchPath(route.path, request.path);
    if (!ids) continue;
    if (route.method == method) {
      if (!IsForm(request)) return ErrorAnswer(ErrorCode::kNotAForm);
      return route.answer(service, {request, std::move(*ids)});
    }
    allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
  }
  if (allowed.empty()) {
    auto page = AnswerPage(request.path);
    if (page && method == "GET") return std::move(*page);
    if (!page) return ErrorAnswer(ErrorCode::kNotFound);
    allowed = "GET";
  }
  HttpAnswer answer = ErrorAnswer(ErrorCode::kMethodNotAllowed, "use " + allowed);
  answer.headers += "Allow: " + allowed + "\r\n";
  return answer;
}

std::string DescribePublic() {
  ordered_json document = {{"openapi", "3.1.0"},
                           {"info", {{"title", "Turnpike's API"}, {"version", kVersion}}}};
  for (const PublicRoute& route : kRoutes) {
    std::string method(route.method);
    std::ranges::transform(method, method.begin(),
                           [](char c) { return static_cast<char>(c - 'A' + 'a'); });
    document["paths"][std::string(route.path)][method] = Operation(route);
  }
  return document.dump(2) + "\n";
}

}  // namespace turnpike
