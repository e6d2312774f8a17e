// Configuration wholly from the environment: what the container image is set up by.
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <string_view>

#include "config/keys.h"
#include "tests/config/support.h"

namespace turnpike::config {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

// An Environment is a plain function, so what it answers from stands here.
Variables* g_variables = nullptr;

std::expected<Config, std::vector<Problem>> ParseWith(Variables variables, std::string_view text) {
  g_variables = &variables;
  return Parse(text, "turnpike.yaml", [](std::string_view name) -> std::optional<std::string> {
    const auto found = g_variables->find(name);
    return found == g_variables->end() ? std::nullopt : std::optional(found->second);
  });
}

std::string FirstProblem(Variables variables) {
  const auto config = ParseWith(std::move(variables), EnvironmentReference());
  if (config) return "";
  const std::string line = config.error().front().ToString();
  return line.substr(line.find(": ") + 2);
}

TEST_CASE("with one secret set, everything else has its default") {
  const auto config = ParseWith({{"TURNPIKE_AUTH_SECRETS", "[north]"}}, EnvironmentReference());
  const auto defaults = ParseWith({}, "auth: {secrets: [north]}");
  REQUIRE(config);
  REQUIRE(defaults);
  for (const Key& key : Keys()) {
    if (key.print == nullptr || KeyParent(key.name).ends_with("[]")) continue;
    INFO(key.name);
    CHECK(key.print(*config) == key.print(*defaults));
  }
}

TEST_CASE("every key has a variable of its name") {
  const std::string text = EnvironmentReference();
  CHECK(text.contains("\nnode: \"${TURNPIKE_NODE:-}\"\n"));
  CHECK(text.contains("\n  checkpoint: \"${TURNPIKE_METERING_CHECKPOINT:-5s}\"\n"));
  CHECK(text.contains("\nlisten: \"${TURNPIKE_LISTEN:-}\"\n"));
  for (const Key& key : Keys()) {
    if (key.kind == KeyKind::kSection || KeyParent(key.name).ends_with("[]")) continue;
    INFO(key.name);
    CHECK(text.contains(std::string(KeyLeaf(key.name)) + ": \"${TURNPIKE_"));
  }
}

TEST_CASE("lists are YAML, and what stands in them may come from files and variables") {
  const auto config =
      ParseWith({{"TURNPIKE_LISTEN", "[{transport: tls, port: 443}, {address: \"::\"}]"},
                 {"TURNPIKE_RELAY_ADDRESSES", "- bind: 10.0.0.5\n  advertise: 203.0.113.7\n"},
                 {"TURNPIKE_RELAY_PEERS_ALLOW", "[10.1.0.0/16]"},
                 {"TURNPIKE_AUTH_SECRETS", "[\"${SECRET}\", older]"},
                 {"SECRET", "newer"}},
                EnvironmentReference());
  REQUIRE(config);
  REQUIRE(config->listen.size() == 2);
  CHECK(config->listen[0].address.ToString() == "0.0.0.0:443");
  CHECK(config->listen[1].address.ToString() == "[::]:3478");
  REQUIRE(config->relay.addresses.size() == 1);
  CHECK(config->relay.addresses[0].bind.ToString() == "10.0.0.5");
  CHECK(config->auth.secrets == std::vector<std::string>{"newer", "older"});
}

TEST_CASE("a variable that is no list says so, and what is in it stays untold") {
  for (const std::string_view text : {"hunter2", "[hunter2", "{hunter2: x}", "*hunter2", "---"}) {
    INFO(text);
    CHECK(FirstProblem({{"TURNPIKE_AUTH_SECRETS", std::string(text)}}) ==
          "auth.secrets: is set to what is no list in YAML; write it as, for example, "
          "[\"${file:/run/secrets/turn}\"]");
  }
  CHECK(FirstProblem({{"TURNPIKE_AUTH_SECRETS", "[a]"}, {"TURNPIKE_LISTEN", "[{prot: 3478}]"}})
            .starts_with("listen[0]: unknown key `prot`; did you mean `port`?"));
}

TEST_CASE("only a substitution can stand for a list") {
  CHECK(Problems("auth: {secrets: \"\"}").contains("auth.secrets: is not a list"));
  CHECK(Problems("auth: {secrets: \"[a]\"}").contains("auth.secrets: is not a list"));
}

}  // namespace
}  // namespace turnpike::config
