#include "server/turn/deadlines.h"

#include <doctest/doctest.h>

#include <map>

#include "tests/support/seeded_random.h"

namespace turnpike {
namespace {

MonoTime At(int64_t ns) { return MonoTime(Duration(ns)); }

}  // namespace

TEST_CASE("Deadlines comes up with the earliest and arms only towards earlier") {
  Deadlines deadlines;
  CHECK(!deadlines.First());
  deadlines.Arm(7, At(100));
  deadlines.Arm(3, At(50));
  CHECK(deadlines.First()->record == 3);
  deadlines.Arm(3, At(500));  // later: changes nothing
  CHECK(deadlines.ArmedAt(3) == At(50));
  deadlines.Arm(7, At(10));
  CHECK(deadlines.First()->record == 7);
  deadlines.Disarm(7);
  deadlines.Disarm(7);
  deadlines.Disarm(1000);
  CHECK(deadlines.First()->record == 3);
  CHECK(!deadlines.ArmedAt(7));
  CHECK(deadlines.size() == 1);
}

TEST_CASE("Deadlines agrees with a map under random use") {
  Deadlines deadlines;
  SeededRandom random(11);
  std::map<uint32_t, int64_t> model;
  for (int step = 0; step < 20000; ++step) {
    const uint32_t record = random.Below(100);
    const int64_t when = random.Below(1000);
    if (random.Below(3) == 0) {
      deadlines.Disarm(record);
      model.erase(record);
    } else {
      deadlines.Arm(record, At(when));
      const auto [entry, added] = model.try_emplace(record, when);
      if (!added && when < entry->second) entry->second = when;
    }
    REQUIRE(deadlines.size() == model.size());
    if (model.empty()) continue;
    int64_t earliest = INT64_MAX;
    for (const auto& [r, w] : model) earliest = std::min(earliest, w);
    REQUIRE(deadlines.First()->when == At(earliest));
    REQUIRE(deadlines.ArmedAt(deadlines.First()->record) == At(earliest));
  }
  CHECK(deadlines.IsConsistent());
}

}  // namespace turnpike
