// What was relayed equals what is billed, to the byte, whatever happens in between.
#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "common/base/log.h"
#include "tests/sim/sim_world.h"
#include "tests/support/temp_directory.h"

namespace turnpike::sim {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? fallback : std::strtoull(text, nullptr, 10);
}

TEST_CASE("every byte that crossed a wire is billed once, and nothing else") {
  ConfigureLog(LogLevel::kError, LogFormat::kText);
  const uint64_t seeds = FromEnvironment("TURNPIKE_SIM_SEEDS", 1000);
  const uint64_t first = FromEnvironment("TURNPIKE_SIM_FIRST_SEED", 1);
  RunStats all;
  for (uint64_t seed = first; seed - first < seeds; ++seed) {
    const TempDirectory directory;
    SimWorld world(seed, directory.path());
    const auto problem = world.Run();
    all += world.stats();
    if (problem) {
      FAIL("seed ", seed, ": ", *problem, "\nrepeat it with TURNPIKE_SIM_SEEDS=1 ",
           "TURNPIKE_SIM_FIRST_SEED=", seed);
    }
  }
  MESSAGE(seeds, " seeds from ", first, ": ", all.sessions, " sessions (", all.crashed_sessions,
          " crashed), ", all.packets, " packets, ", all.billable_bytes, " bytes (",
          all.stream_bytes, " on data connections) after ", all.moves, " moves in ", all.buckets,
          " buckets, ", all.kills, " kills, ", all.good_checkpoints, " checkpoints and ",
          all.failed_checkpoints, " that failed");
  // A simulation that reaches nothing proves nothing.
  if (seeds < 100) return;
  CHECK(all.sessions > 5 * seeds);
  CHECK(all.packets > 50 * seeds);
  CHECK(all.kills > seeds / 2);
  CHECK(all.crashed_sessions > seeds / 2);
  CHECK(all.failed_checkpoints > seeds / 2);
  CHECK(all.buckets > 3 * seeds);
  CHECK(all.stream_bytes > 1000 * seeds);
  CHECK(all.moves > seeds / 2);
}

}  // namespace
}  // namespace turnpike::sim
