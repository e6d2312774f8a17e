#include "common/metering/totals_sql.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace turnpike {
namespace {

constexpr const char* kSums =
    "sum(p.client_to_peer_bytes), sum(p.peer_to_client_bytes), sum(p.client_to_peer_wire_bytes), "
    "sum(p.peer_to_client_wire_bytes), sum(p.client_to_peer_packets), "
    "sum(p.peer_to_client_packets)";

TEST_CASE("a pattern is written for each of the six columns") {
  CHECK(EachTotal("sum(p.$)") == kSums);
  CHECK(ExpandTotals("SELECT {sum(p.$)} FROM p") == fmt::format("SELECT {} FROM p", kSums));
  CHECK(ExpandTotals("SELECT 1") == "SELECT 1");
}

TEST_CASE("what grows has a place for every key and column, and stays an integer") {
  const std::array<std::string_view, 1> columns = {"n"};
  CHECK(GrowColumns("t", 2, columns) ==
        "INSERT INTO t VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
        "n = min(n + excluded.n, 9223372036854775807)");
  CHECK(GrowTotals("t", 5, {"sessions"}).find("(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)") !=
        std::string::npos);
}

}  // namespace
}  // namespace turnpike
