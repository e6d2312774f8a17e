#include "server/io/system_random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

namespace turnpike {

TEST_CASE("no 64 bits come twice, across refills of the buffer") {
  SystemRandom random;
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.U64());
  CHECK(seen.size() == 1000);
}

TEST_CASE("every size is filled to the end") {
  SystemRandom random;
  for (size_t size : {1u, 7u, 127u, 128u, 129u, 511u, 512u, 513u, 4000u}) {
    CAPTURE(size);
    // A byte that stays zero in 40 fills has odds of 2^-320: it was not written.
    std::vector<uint8_t> any(size);
    std::vector<uint8_t> bytes(size);
    for (int i = 0; i < 40; ++i) {
      std::ranges::fill(bytes, uint8_t{0});
      random.Fill(bytes);
      for (size_t k = 0; k < size; ++k) any[k] |= bytes[k];
    }
    CHECK(std::ranges::count(any, uint8_t{0}) == 0);
  }
}

}  // namespace turnpike
