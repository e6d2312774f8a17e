// What processes have used.
#include "tools/load/process_cost.h"

#include <doctest/doctest.h>
#include <unistd.h>

namespace turnpike::load {
namespace {

TEST_CASE("this process has a cost, which grows with what it does, and no process has none") {
  const auto before = ReadProcessCost(getpid());
  REQUIRE(before);
  CHECK(before->resident_bytes > 100'000);
  CHECK(before->cpu_seconds > 0);
  while (OwnCpuSeconds() < before->cpu_seconds + 0.02) {
  }
  const auto after = ReadProcessCost(getpid());
  REQUIRE(after);
  CHECK(after->cpu_seconds >= before->cpu_seconds + 0.01);
  CHECK(!ReadProcessCost(0));
  CHECK(!ReadProcessCost(-1));
}

}  // namespace
}  // namespace turnpike::load
