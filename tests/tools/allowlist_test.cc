// `turnpike config allowlist` in each of its formats.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/tools/command.h"

namespace turnpike {
namespace {

constexpr const char* kConfig =
    "edge: \"=ashburn, \\\"1\\\"\"\n"
    "auth: {secrets: [s]}\n"
    "listen: [{transport: udp}, {transport: tls, port: 443}]\n"
    "relay: {addresses: [{bind: 10.0.0.5, advertise: 203.0.113.7}, {bind: \"2001:db8::7\"}]}\n"
    "limits: {peer_connections_per_allocation: 0}\n";

std::string Print(const std::string& arguments, int status = 0) {
  const TempFile file(kConfig);
  const Result result = RunTurnpike("config allowlist " + file.path() + " " + arguments);
  CHECK(result.status == status);
  return result.out;
}

TEST_CASE("an allowlist is a table for people and, with integers for ports, JSON") {
  const std::string text = Print("");
  CHECK(text.starts_with("EDGE "));
  CHECK(text.contains("tcp       203.0.113.7/32   443          TURN over TLS\n"));
  const auto rows = nlohmann::json::parse(Print("--format json"))["rows"];
  REQUIRE(rows.size() == 4);
  CHECK(rows[0] == nlohmann::json{{"edge", "=ashburn, \"1\""},
                                  {"protocol", "udp"},
                                  {"range", "203.0.113.7/32"},
                                  {"first_port", 3478},
                                  {"last_port", 3478},
                                  {"purpose", "STUN and TURN over UDP"}});
}

TEST_CASE("an allowlist as CSV is harmless in spreadsheets") {
  CHECK(Print("--format csv")
            .starts_with("edge,protocol,range,ports,purpose\r\n"
                         "\"'=ashburn, \"\"1\"\"\",udp,203.0.113.7/32,3478,"
                         "STUN and TURN over UDP\r\n"));
}

TEST_CASE("an allowlist as nftables replaces its chain, and no name breaks out of a comment") {
  const std::string rules = Print("--format nftables --table 'inet firewall'");
  CHECK(rules.contains("flush chain inet firewall turnpike\n"));
  CHECK(
      rules.contains("add rule inet firewall turnpike ip daddr 203.0.113.7/32 udp dport 3478 "
                     "accept comment \"=ashburn, ?1?: STUN and TURN over UDP\"\n"));
  CHECK(rules.contains(" ip6 daddr 2001:db8::7/128 udp dport 10000-60000 accept "));
  CHECK(Print("--format nftables --table 'inet x; flush ruleset'", 2).contains("inet NAME"));
  // Where nft is installed, and may look at a network of its own, it has the last word.
  const std::string check = "| unshare --user --map-root-user --net nft -c -f -";
  if (RunTurnpike("--version >/dev/null; echo 'add table inet t' " + check).status == 0) {
    CHECK(Print("--format nftables " + check) == "");
  }
}

TEST_CASE("an allowlist says what it lacks") {
  const TempFile file("auth: {secrets: [s]}\n");
  const Result lacks = RunTurnpike("config allowlist " + file.path());
  CHECK(lacks.status == 1);
  CHECK(lacks.out.contains("name its public ones with --address"));
  CHECK(RunTurnpike("config allowlist " + file.path() + " --address 0.0.0.0").status == 1);
  CHECK(RunTurnpike("config allowlist " + file.path() + " --address 203.0.113.7").status == 0);
}

}  // namespace
}  // namespace turnpike
