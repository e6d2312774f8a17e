// Values from the environment and from files, and that no message gives a secret away.
#include <doctest/doctest.h>

#include "config/substitute.h"
#include "tests/config/support.h"

namespace turnpike::config {
namespace {

std::string Put(std::string_view text) {
  const auto result = Substitute(text, "", TestEnvironment);
  return result ? *result : "error: " + result.error();
}

TEST_CASE("variables, defaults and escapes are replaced, once") {
  CHECK(Put("plain") == "plain");
  CHECK(Put("") == "");
  CHECK(Put("${PORT}") == "7000");
  CHECK(Put("a${PORT}b${PORT}c") == "a7000b7000c");
  CHECK(Put("${NONE:-3478}") == "3478");
  CHECK(Put("${NONE:-}") == "");
  CHECK(Put("${EMPTY:-x}") == "x");
  CHECK(Put("${EMPTY}") == "");
  CHECK(Put("$${PORT}") == "${PORT}");
  CHECK(Put("cost: 5$ and $PORT") == "cost: 5$ and $PORT");
  CHECK(Put("${NONE:-a$}${PORT}") == "a$7000");
}

TEST_CASE("what cannot be replaced says why, without the value") {
  CHECK(Put("${NONE}") ==
        "error: the environment variable `NONE` is not set; set it, or write ${NONE:-default}");
  CHECK(Put("${file:/nonexistent/turn}") ==
        "error: the file `/nonexistent/turn` cannot be read: No such file or directory");
  CHECK(Put("${file:/}") == "error: the file `/` is a directory; name a file in it");
  CHECK(Put("${PORT") ==
        "error: there is a ${ without its }; use ${NAME}, ${NAME:-default} or ${file:PATH}, or $${ "
        "for "
        "a plain ${");
  CHECK(Put("${hunter2!}") ==
        "error: there is a ${...} that cannot be read; use ${NAME}, ${NAME:-default} or "
        "${file:PATH}, "
        "or $${ for a plain ${");
  CHECK(Put("${}").starts_with("error: there is a ${...} that cannot be read"));
}

TEST_CASE("numbers and addresses take variables too") {
  const auto config = Parse(
      "listen: [{port: \"${PORT}\", address: \"${ADDRESS:-::}\"}]\n"
      "workers: ${WORKERS:-auto}\n"
      "auth: {users: [{username: a, password: \"${PASSWORD}\"}]}\n",
      "turnpike.yaml", TestEnvironment);
  REQUIRE(config);
  CHECK(config->listen[0].address.ToString() == "[::]:7000");
  CHECK(config->auth.users[0].password == "hunter2");
}

TEST_CASE("a variable's value is not shown when it is wrong") {
  CHECK(ProblemsBeside("workers: ${PASSWORD}") ==
        "turnpike.yaml:1: workers: the value of `${PASSWORD}` is not a number of workers; use auto "
        "or "
        "1-256\n");
  CHECK(ProblemsBeside("workers: ${NONE}") ==
        "turnpike.yaml:1: workers: the environment variable `NONE` is not set; set it, or write "
        "${NONE:-default}\n");
}

TEST_CASE("no message shows a secret, however the file is wrong") {
  const std::string_view texts[] = {
      "auth: {secrets: hunter2}",
      "auth: {secrets: {hunter2: x}}",
      "auth: {secrets: [{hunter2: x}]}",
      "auth: {secrets: [[hunter2]]}",
      "auth: {secrets: [\"hunter2\\n\"]}",
      "auth: {secrets: [hunter2, hunter2]}",
      "auth: {users: [{username: a, hunter2}]}",
      "auth: {users: [alice:hunter2]}",
      "auth: {users: {alice: hunter2}}",
      "auth: {users: [{username: a, password: [hunter2]}]}",
      "auth: {users: [{username: a, password: {hunter2: x}}]}",
      "auth: {users: [{username: a, password: *hunter2}]}",
      "auth: {users: [{username: a, password: &hunter2}]}",
      "auth: {users: [{username: a, password: !hunter2}]}",
      "auth: {users: [{username: a, password: \"hunter2}]}",
      "auth: {users: [{username: a, password: \"\\zhunter2\"}]}",
      "auth: {users: [{username: a, password: \"${hunter2!}\"}]}",
      "auth: {users: [{username: a, password: \"${NONE:-hunter2\"}]}",
      "auth: {users: [{username: a, password: hunter2, password: hunter2}]}",
      "auth:\n  users:\n    - username: a\n      password: @hunter2",
      "auth:\n  users:\n    - username: a\n     password: hunter2",
      "auth:\n  users:\n    - username: a\n      password hunter2",
      "auth:\n  secrets:\n    -hunter2",
      "auth: hunter2",
  };
  for (const std::string_view text : texts) {
    INFO(text);
    const std::string problems = Problems(text);
    CHECK(!problems.empty());
    CHECK(!problems.contains("hunter2"));
  }
}

}  // namespace
}  // namespace turnpike::config
