#include "server/api/api_http.h"

#include "server/api/errors.h"
#include "server/api/routes.h"

namespace turnpike {
namespace {

HttpAnswer Refuse(int status) {
  if (status == 413) return ErrorAnswer(ErrorCode::kTooLarge);
  if (status >= 500) return ErrorAnswer(ErrorCode::kInternal);
  return ErrorAnswer(ErrorCode::kMalformed);
}

}  // namespace

std::expected<std::unique_ptr<HttpServer>, std::string> StartApiHttp(
    const TransportAddress& address, ApiService& service) {
  return HttpServer::Start(
      {.name = "the API", .address = address, .threads = 16, .keep_alive = true, .refuse = Refuse},
      [&service](const HttpRequest& request) { return AnswerPublic(service, request); });
}

}  // namespace turnpike
