#include "server/api/api_http.h"

#include "server/api/routes.h"

namespace turnpike {

std::expected<std::unique_ptr<HttpServer>, std::string> StartApiHttp(
    const TransportAddress& address, ApiService& service) {
  return HttpServer::Start(
      {.name = "the API", .address = address, .threads = 16, .keep_alive = true},
      [&service](const HttpRequest& request) { return AnswerPublic(service, request); });
}

}  // namespace turnpike
