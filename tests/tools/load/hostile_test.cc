#include "tools/load/hostile.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace turnpike::load {
namespace {

TEST_CASE("the kinds of hostile clients have names, and an unknown one is answered with them") {
  CHECK(ParseHostility("bad-auth") == Hostility::kBadAuth);
  CHECK(ParseHostility("no-permission") == Hostility::kNoPermission);
  CHECK(ParseHostility("slow-reader") == Hostility::kSlowReader);
  CHECK(ParseHostility("half-tls") == Hostility::kHalfTls);
  const auto unknown = ParseHostility("rude");
  REQUIRE(!unknown);
  CHECK(unknown.error() ==
        "`rude` is none: use one of bad-auth, no-permission, slow-reader, half-tls");
}

TEST_CASE("a hostile run's result says what was done and what came of it") {
  HostileResult result;
  result.kind = "half-tls";
  result.seconds = 2;
  result.did["handshakes"] = 3;
  std::ostringstream silent;
  WriteHostileTable(result, silent);
  CHECK(silent.str().find("3 handshakes") != std::string::npos);
  CHECK(silent.str().find("did nothing") != std::string::npos);
  result.answered["closed connections"] = 2;
  result.closing.Record(std::chrono::milliseconds(250));
  result.server_cost = ProcessCost{1.5, 1 << 20};
  std::ostringstream table;
  WriteHostileTable(result, table);
  CHECK(table.str().find("2 closed connections") != std::string::npos);
  CHECK(table.str().find("250.") != std::string::npos);
  std::ostringstream json;
  WriteHostileJson(result, json);
  const auto parsed = nlohmann::json::parse(json.str());
  CHECK(parsed["answered"]["closed connections"] == 2);
  CHECK(parsed["server_process"]["resident_bytes"] == 1 << 20);
}

}  // namespace
}  // namespace turnpike::load
