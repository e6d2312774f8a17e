// /proc/PID/stat.
#include "tools/load/process_cost.h"

#include <doctest/doctest.h>
#include <unistd.h>

namespace turnpike::load {
namespace {

TEST_CASE("times and memory are found behind any name") {
  const auto cost = ParseProcessStat(
      "42 (a) b (c)) S 1 1 1 0 -1 4194560 5 0 0 0 150 50 0 0 20 0 3 0 100 1000 25 18446744 1 1\n",
      100, 4096);
  REQUIRE(cost);
  CHECK(cost->cpu_seconds == doctest::Approx(2.0));
  CHECK(cost->resident_bytes == 25 * 4096);
}

TEST_CASE("this process has a cost, and no process has none") {
  const auto own = ReadProcessCost(getpid());
  REQUIRE(own);
  CHECK(own->resident_bytes > 0);
  CHECK(!ReadProcessCost(0));
  CHECK(!ParseProcessStat("", 100, 4096));
  CHECK(!ParseProcessStat("42 (x) S 1", 100, 4096));
}

}  // namespace
}  // namespace turnpike::load
