// THE table of the JSON API's routes. The OpenAPI description and the answers come from it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/ops/admin_actions.h"

namespace turnpike {

// ApiRequest is one request, less what HTTP itself is about.
struct ApiRequest {
  std::string_view method;
  std::string_view path;
  std::string_view query;  // behind the `?`, still encoded
  std::string_view body;
  std::string_view authorization;  // the header's value; empty: none
};

// ApiAnswer is what goes back: JSON, in one line for errors.
struct ApiAnswer {
  int status = 200;
  std::string body;
};

// ApiRoute is one row.
struct ApiRoute {
  std::string_view method;
  std::string_view path;        // `{id}` stands for one segment
  std::string_view name;        // the OpenAPI operation
  std::string_view summary;     // one sentence
  std::string_view parameters;  // names in the query, separated by blanks
  std::string_view body;        // members of the JSON object in the body, separated by blanks
  bool needs_token = true;
  ApiAnswer (*answer)(AdminActions& actions, const ApiRequest& request, std::string_view id);
};

// ApiRoutes views the table.
std::span<const ApiRoute> ApiRoutes();

// RefuseApi answers a request that cannot be served whatever its body is: no such path, a wrong
// method, no token. nullopt: AnswerApi has the answer.
std::optional<ApiAnswer> RefuseApi(const AdminActions& actions, const ApiRequest& request);

// AnswerApi finds the route and answers. A wrong token gets 401; without `admin.token` in the
// configuration whatever needs one gets 403.
ApiAnswer AnswerApi(AdminActions& actions, const ApiRequest& request);

// OpenApi renders the table as an OpenAPI 3.1 description.
std::string OpenApi();

}  // namespace turnpike
