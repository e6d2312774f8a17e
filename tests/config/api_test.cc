// The API's keys in the configuration.
#include <doctest/doctest.h>

#include "tests/config/support.h"

namespace turnpike::config {
namespace {

constexpr std::string_view kSid = "AC0123456789abcdef0123456789abcdef";

// WithAccount is a configuration whose one account has `rest` beside its SID.
std::string WithAccount(std::string_view rest) {
  return "api: {accounts: [{sid: " + std::string(kSid) + ", " + std::string(rest) + "}]}";
}

TEST_CASE("the API's keys: defaults, and every member that they set") {
  const Config defaults = Defaults();
  CHECK(defaults.api.address.port == 0);
  CHECK(defaults.api.accounts.empty());

  const std::string hash(64, 'A');
  const auto config = Parse(std::string(kUser) +
                                "\napi:\n"
                                "  address: \"::1\"\n"
                                "  port: ${PORT}\n"
                                "  trusted_proxies: [10.0.0.0/24]\n"
                                "  requests_per_second: 0\n"
                                "  requests_per_second_per_address: 7\n"
                                "  webhook_networks: [\"fd00::/8\"]\n"
                                "  accounts:\n"
                                "    - {sid: " +
                                std::string(kSid) + ", account: acme, name: Acme, token_hashes: [" +
                                hash + "], key_hashes: [" + hash + "], disabled: true}\n",
                            "turnpike.yaml", TestEnvironment);
  REQUIRE(config);
  const Config::Api& api = config->api;
  CHECK(api.address == *TransportAddress::Parse("[::1]:7000"));
  CHECK(api.trusted_proxies.Contains(*IpAddress::Parse("10.0.0.9")));
  CHECK_FALSE(api.trusted_proxies.Contains(*IpAddress::Parse("127.0.0.1")));
  CHECK(api.requests_per_second == 0);
  CHECK(api.requests_per_second_per_address == 7);
  CHECK(api.webhook_networks.Contains(*IpAddress::Parse("fd00::1")));
  const std::string lower(64, 'a');
  CHECK(api.accounts ==
        std::vector{ApiAccountConfig{std::string(kSid), "acme", "Acme", {lower}, {lower}, true}});
}

TEST_CASE("an account of the API that nobody can use is a problem") {
  const std::string hash(64, '0');
  CHECK(ProblemsBeside(WithAccount("account: acme")).contains("can show nothing"));
  CHECK(ProblemsBeside(WithAccount("account: \"a:b\", token_hashes: [" + hash + "]"))
            .contains("api.accounts[0].account: has a colon"));
  CHECK(ProblemsBeside(WithAccount("token_hashes: [" + hash + "]")).contains("account"));
  const std::string short_hash = ProblemsBeside(WithAccount("account: a, token_hashes: [s3cr]"));
  CHECK(short_hash.contains("is not 64 hexadecimal digits"));
  CHECK_FALSE(short_hash.contains("s3cr"));
  CHECK(ProblemsBeside("api: {accounts: [{sid: AC12, account: a, key_hashes: [" + hash + "]}]}")
            .contains("is not AC and 32 hexadecimal digits"));
  const std::string one =
      "{sid: " + std::string(kSid) + ", account: a, token_hashes: [" + hash + "]}";
  CHECK(ProblemsBeside("api: {accounts: [" + one + ", " + one + "]}")
            .contains("api.accounts[1].sid: " + std::string(kSid) +
                      " is the SID of an entry before it"));
  CHECK(ProblemsBeside("api: {port: 70000}").contains("api.port"));
  CHECK(ProblemsBeside("api: {requests_per_second: -1}").contains("api.requests_per_second"));
}

}  // namespace
}  // namespace turnpike::config
