// THE table of the API's routes: answers and the OpenAPI description come from it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/service.h"
#include "server/http/http_server.h"

namespace turnpike {

// ApiCall is one request to a route.
struct ApiCall {
  const HttpRequest& request;
  std::vector<std::string_view> ids;  // what stands for each {…} of the path
};

// PublicRoute is one row.
struct PublicRoute {
  std::string_view method;
  std::string_view path;        // as MatchPath takes it
  std::string_view name;        // the OpenAPI operation
  std::string_view summary;     // one sentence
  std::string_view parameters;  // names in the query, or, of a POST, in the form; by blanks
  HttpAnswer (*answer)(ApiService& service, const ApiCall& call);
};

// PublicRoutes views the table.
std::span<const PublicRoute> PublicRoutes();

// AnswerPublic finds the route, or the page (pages.h), and answers.
HttpAnswer AnswerPublic(ApiService& service, const HttpRequest& request);

// DescribePublic renders the table as an OpenAPI 3.1 description.
std::string DescribePublic();

}  // namespace turnpike
