#include "common/metering/split.h"

#include <doctest/doctest.h>

namespace turnpike {
namespace {

UsageTotals Totals(uint64_t bytes) { return FromSums({bytes, 2 * bytes, 0, 0, bytes, 0}); }

SlotSnapshot Snapshot(uint64_t bytes,
                      std::initializer_list<std::pair<uint32_t, uint64_t>> boundaries) {
  SlotSnapshot snapshot;
  snapshot.totals = Totals(bytes);
  for (const auto& [bucket, at] : boundaries) {
    snapshot.boundaries.push_back({BucketIndex(bucket), Totals(at)});
    snapshot.bucket = BucketIndex(bucket);
  }
  return snapshot;
}

TEST_CASE("bytes go to the bucket that was current when they were relayed") {
  Sums stored{};
  const auto parts = SplitUsage(Snapshot(100, {{7, 0}, {8, 30}, {11, 80}}), stored);
  REQUIRE(parts.size() == 3);
  CHECK(parts[0].bucket.value() == 7);
  CHECK(parts[0].sums == Sums{30, 60, 0, 0, 30, 0});
  CHECK(parts[1].sums == Sums{50, 100, 0, 0, 50, 0});
  CHECK(parts[2].bucket.value() == 11);
  CHECK(parts[2].sums == Sums{20, 40, 0, 0, 20, 0});
  CHECK(stored == ToSums(Totals(100)));
}

TEST_CASE("what is stored is not split again") {
  Sums stored = ToSums(Totals(40));
  const auto parts = SplitUsage(Snapshot(100, {{7, 0}, {8, 30}, {11, 80}}), stored);
  REQUIRE(parts.size() == 2);
  CHECK(parts[0].bucket.value() == 8);
  CHECK(parts[0].sums[0] == 40);
  CHECK(SplitUsage(Snapshot(100, {{7, 0}, {8, 30}, {11, 80}}), stored).empty());
}

TEST_CASE("a stored total above the slot's adds nothing and stays") {
  Sums stored = ToSums(Totals(150));
  CHECK(SplitUsage(Snapshot(100, {{7, 0}}), stored).empty());
  CHECK(stored == ToSums(Totals(150)));
}

TEST_CASE("bytes before the first known boundary go with it") {
  Sums stored{};
  const auto parts = SplitUsage(Snapshot(100, {{9, 60}}), stored);
  REQUIRE(parts.size() == 1);
  CHECK(parts[0].bucket.value() == 9);
  CHECK(parts[0].sums[0] == 100);
}

TEST_CASE("without boundaries the newest byte's bucket takes all") {
  Sums stored{};
  SlotSnapshot snapshot = Snapshot(5, {});
  snapshot.bucket = BucketIndex(12);
  const auto parts = SplitUsage(snapshot, stored);
  REQUIRE(parts.size() == 1);
  CHECK(parts[0].bucket.value() == 12);
}

TEST_CASE("a boundary beyond the totals adds nothing to them") {
  Sums stored{};
  const auto parts = SplitUsage(Snapshot(30, {{7, 0}, {8, 1'000'000}}), stored);
  REQUIRE(parts.size() == 1);
  CHECK(parts[0].bucket.value() == 7);
  CHECK(stored == ToSums(Totals(30)));
}

TEST_CASE("a bucket comes twice when the clock stepped back and forth") {
  Sums stored{};
  const auto parts = SplitUsage(Snapshot(30, {{8, 0}, {7, 10}, {8, 15}}), stored);
  REQUIRE(parts.size() == 3);
  CHECK(parts[0].bucket == parts[2].bucket);
  CHECK(parts[0].sums[0] + parts[2].sums[0] == 25);
}

}  // namespace
}  // namespace turnpike
