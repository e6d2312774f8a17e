#include "server/api/errors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace turnpike {
namespace {

constexpr ErrorRow kErrors[] = {
    {ErrorCode::kInvalidParameter, 400, "Invalid parameter"},
    {ErrorCode::kAuthenticate, 401, "Authenticate"},
    {ErrorCode::kMethodNotAllowed, 405, "Method not allowed"},
    {ErrorCode::kAccountNotActive, 401, "Account not active"},
    {ErrorCode::kForbidden, 403, "Access denied"},
    {ErrorCode::kMalformed, 400, "Not a whole and sound HTTP/1.1 request"},
    {ErrorCode::kNotFound, 404, "The requested resource was not found"},
    {ErrorCode::kTooLarge, 413, "The request is too large"},
    {ErrorCode::kNotAForm, 415, "Send parameters as application/x-www-form-urlencoded"},
    {ErrorCode::kTooManyRequests, 429, "Too many requests"},
    {ErrorCode::kInternal, 500, "Internal server error"},
    {ErrorCode::kUnavailable, 503, "Service unavailable"},
};

}  // namespace

std::span<const ErrorRow> ErrorRows() { return kErrors; }

HttpAnswer ErrorAnswer(ErrorCode code, std::string_view detail) {
  const ErrorRow& row = *std::ranges::find(kErrors, code, &ErrorRow::code);
  std::string message(row.message);
  if (!detail.empty()) message += ": " + std::string(detail);
  const nlohmann::ordered_json body = {
      {"code", static_cast<int>(code)},
      {"message", message},
      {"more_info", "/v1/errors#" + std::to_string(static_cast<int>(code))},
      {"status", row.status}};
  HttpAnswer answer = JsonAnswer(body.dump(), row.status);
  if (row.status == 401) answer.headers = "WWW-Authenticate: Basic realm=\"Turnpike API\"\r\n";
  if (row.status == 429) answer.headers = "Retry-After: 1\r\n";
  return answer;
}

HttpAnswer InvalidParameter(std::string_view sentence) {
  return ErrorAnswer(ErrorCode::kInvalidParameter, sentence);
}

HttpAnswer JsonAnswer(std::string body, int status) {
  return {.status = status, .content_type = "application/json", .body = std::move(body)};
}

}  // namespace turnpike
