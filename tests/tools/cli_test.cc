// The command line of `turnpike`: output, messages and exit statuses.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "common/stun/integrity.h"
#include "tests/support/tree.h"
#include "tests/tools/command.h"

namespace turnpike {
namespace {

std::string PasswordOf(std::string_view secret, std::string_view username) {
  return stun::Base64(stun::HmacSha1(AsBytes(secret), {AsBytes(username)}));
}

TEST_CASE("token prints username, password and uris") {
  const Result result =
      RunTurnpike("token --secret north --account acme --label web:1 --host turn.example");
  CHECK(result.status == 0);
  const std::string& out = result.out;
  REQUIRE(out.starts_with("username: "));
  const std::string username = out.substr(10, out.find('\n') - 10);
  CHECK(username.substr(username.find(':')) == ":acme:web:1");
  CHECK(out == "username: " + username + "\npassword: " + PasswordOf("north", username) +
                   "\nuris: turn:turn.example:3478?transport=udp "
                   "turn:turn.example:3478?transport=tcp\n");
}

TEST_CASE("token --format json has the members of the REST convention") {
  const Result result = RunTurnpike(
      "token --secret north --account acme --ttl 1h --host ::1 --port 443 --format json");
  REQUIRE(result.status == 0);
  const auto json = nlohmann::json::parse(result.out);
  CHECK(json.size() == 4);
  CHECK(json["ttl"] == 3600);
  CHECK(json["uris"] ==
        nlohmann::json({"turn:[::1]:443?transport=udp", "turn:[::1]:443?transport=tcp"}));
  CHECK(json["password"] == PasswordOf("north", json["username"].get<std::string>()));
}

TEST_CASE("token takes secret, listeners and address from a configuration") {
  const TempFile config(
      "listen:\n"
      "  - {transport: udp}\n  - {transport: tcp}\n  - {transport: udp, address: \"::\"}\n"
      "  - {transport: tls}\n"
      "tls: {certificate: c.pem, key: k.pem}\n"
      "relay: {addresses: [{bind: 10.0.0.5, advertise: 203.0.113.7}]}\n"
      "auth: {secrets: [newest, oldest]}\n");
  const Result result =
      RunTurnpike("token --config " + config.path() + " --account acme --format json");
  REQUIRE(result.status == 0);
  const auto json = nlohmann::json::parse(result.out);
  CHECK(json["password"] == PasswordOf("newest", json["username"].get<std::string>()));
  CHECK(json["uris"] == nlohmann::json({"turn:203.0.113.7:3478?transport=udp",
                                        "turn:203.0.113.7:3478?transport=tcp",
                                        "turns:203.0.113.7:5349?transport=tcp"}));
}

TEST_CASE("token reads the secret from a file, less its newline") {
  const TempFile secret("north\n");
  const Result result =
      RunTurnpike("token --secret-file " + secret.path() + " --account acme --format json");
  REQUIRE(result.status == 0);
  const auto json = nlohmann::json::parse(result.out);
  CHECK(json["password"] == PasswordOf("north", json["username"].get<std::string>()));
}

TEST_CASE("token says what is wrong with its arguments") {
  const auto fails = [](const std::string& arguments, const std::string& message) {
    const Result result = RunTurnpike("token " + arguments);
    CHECK(result.status == 1);
    CHECK(result.out == "turnpike token: " + message + "\n");
  };
  fails("--secret north --account a:b",
        "--account: a colon separates account and label, so an account has none");
  fails("--secret north --account ''", "--account: an account needs a name");
  fails("--secret north --account " + std::string(129, 'a'),
        "--account and --label: use at most 128 bytes each");
  fails("--secret north --account \"$(printf 'a\\nb')\"",
        "--account and --label: use printable text");
  fails("--secret north --account a --ttl 1",
        "--ttl: expected a whole number with a unit (ms, s, m, h, d), for example 5s");
  fails("--secret north --account a --ttl 0s", "--ttl: use 1s to 366d");
  fails("--secret north --account a --host turn:example",
        "--host: give a name or an address alone; --port changes the port");
  fails("--account a", "which secret? give --secret, --secret-file or --config");
  fails("--secret '' --account a", "which secret? give --secret, --secret-file or --config");
  fails("--secret-file /nonexistent --account a",
        "--secret-file /nonexistent cannot be read: No such file or directory");
  const TempFile config("auth: {users: [{username: alice, password: s3cret}]}\n");
  fails("--config " + config.path() + " --account a",
        config.path() + " has no auth.secrets, so the server takes no time-limited credentials");
}

TEST_CASE("config check says every problem and fails, or says ok") {
  const TempFile bad("listne: []\nauth: {secrets: [x]}\nworkers: 0\n");
  const Result failed = RunTurnpike("config check " + bad.path());
  CHECK(failed.status == 1);
  CHECK(failed.out == bad.path() + ":1: unknown key `listne`; did you mean `listen`?\n" +
                          bad.path() +
                          ":3: workers: 0 is not a number of workers; use auto or 1-256\n");
  const TempFile good("auth: {secrets: [x]}\n");
  const Result passed = RunTurnpike("config check " + good.path());
  CHECK(passed.status == 0);
  CHECK(passed.out == good.path() + ": ok\n");
}

TEST_CASE("config reference prints the file that the tree holds") {
  const std::string file = SourceDir() / "config/turnpike.yaml";
  const Result result = RunTurnpike("config reference | diff - " + file);
  CHECK(result.status == 0);
  CHECK(result.out == "");
}

TEST_CASE("help and version succeed; what nobody knows exits with 2") {
  CHECK(RunTurnpike("--help").status == 0);
  CHECK(RunTurnpike("--help").out.contains("turnpike COMMAND --help says more"));
  CHECK(RunTurnpike("token --help").status == 0);
  CHECK(RunTurnpike("--version").out.starts_with("turnpike "));
  CHECK(RunTurnpike("").status == 2);
  CHECK(RunTurnpike("tokne").status == 2);
  CHECK(RunTurnpike("token --secret x").status == 2);
  CHECK(RunTurnpike("token --secret x --account a --prot 1").status == 2);
  CHECK(RunTurnpike("token --secret x --secret-file y --account a").status == 2);
}

}  // namespace
}  // namespace turnpike
