#include "server/http/path.h"

#include <doctest/doctest.h>

#include <string>

namespace turnpike {
namespace {

std::string Match(std::string_view pattern, std::string_view path) {
  const auto found = MatchPath(pattern, path);
  if (!found) return "no";
  std::string text = "yes";
  for (const std::string_view each : *found) text += " " + std::string(each);
  return text;
}

TEST_CASE("a path is matched segment by segment") {
  CHECK(Match("/v1/edges", "/v1/edges") == "yes");
  CHECK(Match("/v1/edges", "/v1/edges/") == "no");
  CHECK(Match("/v1/{id}", "/v1/a%2Fb") == "yes a%2Fb");
  CHECK(Match("/v1/{id}", "/v1/") == "no");
  CHECK(Match("/v1/{id}", "/v1/a/b") == "no");
  CHECK(Match("/a/{x}/b/{y}.json", "/a/1/b/2.json") == "yes 1 2");
  CHECK(Match("/a/{x}/b/{y}.json", "/a/1/b/2") == "no");
  CHECK(Match("/a/{x}/b/{y}.json", "/a/1/b/.json") == "no");
  CHECK(Match("/a/{x}/b/{y}.json", "/a//b/2.json") == "no");
  CHECK(Match("/a/{x}/b", "/a/1/b") == "yes 1");
  CHECK(Match("/a/{x}/b", "/a/1/c") == "no");
}

}  // namespace
}  // namespace turnpike
