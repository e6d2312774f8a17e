#include "server/api/routes.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

namespace turnpike {
namespace {

TEST_CASE("the description holds every route, once") {
  const auto document = nlohmann::json::parse(DescribePublic());
  std::set<std::string_view> names;
  for (const PublicRoute& route : PublicRoutes()) {
    CAPTURE(std::string(route.name));
    CHECK(names.insert(route.name).second);
    CHECK(document.at("paths").contains(std::string(route.path)));
  }
}

}  // namespace
}  // namespace turnpike
