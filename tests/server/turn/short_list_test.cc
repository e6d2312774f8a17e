#include "server/turn/short_list.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/seeded_random.h"

namespace turnpike {

TEST_CASE("ShortList holds more than fits in place, and removes from anywhere") {
  ShortList<int, 2> list;
  SeededRandom random(5);
  std::vector<int> model;
  for (int step = 0; step < 5000; ++step) {
    if (random.Below(3) != 0 || model.empty()) {
      list.Add(step);
      model.push_back(step);
    } else {
      const int modulus = 2 + static_cast<int>(random.Below(5));
      list.RemoveIf([&](int value) { return value % modulus == 0; });
      std::erase_if(model, [&](int value) { return value % modulus == 0; });
    }
    REQUIRE(list.size() == model.size());
    for (const int value : model) {
      const int* found = list.FindIf([&](int candidate) { return candidate == value; });
      REQUIRE(found != nullptr);
    }
    if (model.size() > 40) {
      list.RemoveIf([](int) { return true; });
      model.clear();
      REQUIRE(list.empty());
    }
  }
}

}  // namespace turnpike
