#include "server/start_report.h"

#include <doctest/doctest.h>

namespace turnpike {
namespace {

IpAddress Ip(std::string_view text) { return IpAddress::Parse(text).value(); }

config::Config Quiet() {
  config::Config config;
  config.relay.ports = {10000, 10009};
  config.auth.secrets = {"s"};
  config.auth.realm = "turn.example";
  return config;
}

const std::vector<RelayAddress> kRelays = {{Ip("203.0.113.7"), Ip("203.0.113.7")}};
const HostLimits kAmple = {.descriptors = 100, .receive_buffer = 8 << 20};

// Only returns the one warning there is.
std::string Only(const config::Config& config, const HostLimits& limits = kAmple,
                 const std::vector<RelayAddress>& relays = kRelays) {
  const auto warnings = Warnings(config, relays, limits);
  REQUIRE(warnings.size() == 1);
  return warnings[0];
}

}  // namespace

TEST_CASE("warnings say what an operator will miss") {
  CHECK(Warnings(Quiet(), kRelays, kAmple).empty());
  CHECK(Only(Quiet(), {.descriptors = 9, .receive_buffer = std::nullopt}).contains("LimitNOFILE"));
  CHECK(Only(Quiet(), {.descriptors = 100, .receive_buffer = 212'992})
            .ends_with("sysctl -w net.core.rmem_max=4194304"));
  CHECK(Only(Quiet(), kAmple, {{Ip("127.0.0.1"), Ip("127.0.0.1")}}).contains("loopback"));
  CHECK(Only(Quiet(), {.descriptors = 100,
                       .receive_buffer = std::nullopt,
                       .backup_fault = "/b is no directory: make it first"})
            .contains("/b is no directory: make it first, and restart"));
  config::Config config = Quiet();
  config.auth.secrets.clear();
  CHECK(Only(config).starts_with("nobody can allocate"));
  config = Quiet();
  config.auth.realm = "turnpike";
  CHECK(Only(config).starts_with("auth.realm is the default"));
  config.auth.realm = std::string(29, 'r');
  CHECK(Only(config).starts_with("auth.realm has 29 bytes"));
}

TEST_CASE("an admin endpoint that the world may reach is warned of, with a token and without") {
  config::Config config = Quiet();
  for (const char* address : {"0.0.0.0", "203.0.113.7"}) {
    config.admin.address.ip = Ip(address);
    config.admin.token = "";
    CHECK(Only(config).contains("whoever can reach it reads metrics"));
    config.admin.token = "t";
    CHECK(Only(config).contains("learns admin.token"));
  }
  for (const char* address : {"127.0.0.1", "10.0.0.5", "fd00::1"}) {
    config.admin.address.ip = Ip(address);
    CHECK(Warnings(config, kRelays, kAmple).empty());
  }
}

TEST_CASE("limits are told where they differ from the defaults") {
  config::Config config;
  CHECK(DescribeLimits(config) == "defaults");
  config.limits.allocations_per_account = 7;
  config.limits.session_bandwidth = 2'500'000;
  CHECK(DescribeLimits(config) == "allocations_per_account=7 session_bandwidth=2.5 Mbit/s");
  CHECK(DescribeRelays({{Ip("10.0.0.5"), Ip("203.0.113.7")}, {Ip("::1"), Ip("::1")}}) ==
        "10.0.0.5 as 203.0.113.7 ::1");
}

}  // namespace turnpike
