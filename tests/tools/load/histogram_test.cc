// The histogram against plain sorting.
#include "tools/load/histogram.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "tests/support/seeded_random.h"

namespace turnpike::load {
namespace {

TEST_CASE("small values are exact") {
  Histogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.Record(Duration(i));
  CHECK(histogram.count() == 100);
  CHECK(histogram.Percentile(50) == Duration(50));
  CHECK(histogram.Percentile(99) == Duration(99));
  CHECK(histogram.Percentile(100) == Duration(100));
  CHECK(histogram.Percentile(0) == Duration(1));
  CHECK(histogram.min() == Duration(1));
  CHECK(histogram.max() == Duration(100));
  CHECK(histogram.mean() == Duration(51));
}

TEST_CASE("percentiles of any size are right to three digits") {
  SeededRandom random(1);
  std::vector<int64_t> values;
  Histogram histogram;
  for (int i = 0; i < 20'000; ++i) {
    // From nanoseconds to minutes, evenly over the orders of magnitude.
    const auto value = static_cast<int64_t>(random.U64() >> (24 + random.Below(38)));
    values.push_back(value);
    histogram.Record(Duration(value));
  }
  std::ranges::sort(values);
  for (const double percent : {0.1, 1.0, 10.0, 25.0, 50.0, 75.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto rank = static_cast<size_t>(std::ceil(percent / 100 * 20'000)) - 1;
    const auto exact = static_cast<double>(values[rank]);
    const auto got = static_cast<double>(histogram.Percentile(percent).count());
    CAPTURE(percent);
    CHECK(got >= exact);
    CHECK(got <= exact * 1.001 + 1);
  }
}

TEST_CASE("merging is the same as recording into one") {
  SeededRandom random(2);
  Histogram one, a, b;
  for (int i = 0; i < 1000; ++i) {
    const Duration value(random.Below(1'000'000));
    one.Record(value);
    (i % 3 == 0 ? a : b).Record(value);
  }
  a.Merge(b);
  CHECK(a.count() == one.count());
  CHECK(a.min() == one.min());
  CHECK(a.max() == one.max());
  CHECK(a.mean() == one.mean());
  for (const double percent : {1.0, 50.0, 99.9}) {
    CHECK(a.Percentile(percent) == one.Percentile(percent));
  }
}

TEST_CASE("nothing recorded, and negative values") {
  Histogram histogram;
  CHECK(histogram.Percentile(99) == Duration(0));
  CHECK(histogram.min() == Duration(0));
  CHECK(histogram.mean() == Duration(0));
  histogram.Record(Duration(-5));
  CHECK(histogram.max() == Duration(0));
  CHECK(histogram.count() == 1);
}

TEST_CASE("buckets show every value once, in order") {
  Histogram histogram;
  for (const int64_t value : {5, 5, 3'000'000, 70}) histogram.Record(Duration(value));
  std::vector<std::pair<int64_t, uint64_t>> seen;
  histogram.Buckets(
      [&](Duration highest, uint64_t count) { seen.emplace_back(highest.count(), count); });
  REQUIRE(seen.size() == 3);
  CHECK(seen[0] == std::pair<int64_t, uint64_t>(5, 2));
  CHECK(seen[1] == std::pair<int64_t, uint64_t>(70, 1));
  CHECK(seen[2].first == 3'000'000);
}

}  // namespace
}  // namespace turnpike::load
