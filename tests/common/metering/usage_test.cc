#include "common/metering/usage.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace turnpike {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

TEST_CASE("names are distinct, lower case and total") {
  std::set<std::string_view> names;
  for (int i = 0; i < kDropReasonCount; ++i) {
    names.insert(DropReasonName(static_cast<DropReason>(i)));
  }
  CHECK(names.size() == kDropReasonCount);
  CHECK(DropReasonName(DropReason::kNoPermission) == "no_permission");
  CHECK(DropReasonName(DropReason::kLimit) == "limit");
  names.clear();
  for (int i = 0; i < kCloseReasonCount; ++i) {
    names.insert(CloseReasonName(static_cast<CloseReason>(i)));
  }
  CHECK(names.size() == kCloseReasonCount);
  CHECK(CloseReasonName(CloseReason::kRefreshedToZero) == "refreshed_to_zero");
  CHECK(CloseReasonName(CloseReason::kKilled) == "killed");
  CHECK(DirectionName(Direction::kPeerToClient) == "peer_to_client");
}

TEST_CASE("a bucket begins on the quarter of an hour and ends before the next") {
  const WallTime noon{seconds(1795176000)};
  const BucketIndex bucket = BucketOf(noon);
  CHECK(BucketStart(bucket) == noon);
  CHECK(BucketOf(noon + seconds(900) - microseconds(1)) == bucket);
  CHECK(BucketOf(noon + seconds(900)).value() == bucket.value() + 1);
  CHECK(BucketOf(noon - microseconds(1)).value() == bucket.value() - 1);
  CHECK(BucketOf(WallTime(microseconds(-1))).value() == 0);
  CHECK(BucketOf(WallTime::max()) != kNoBucket);
}

TEST_CASE("9562_5_7 a session id is a UUIDv7") {
  // RFC 9562 appendix A.6: 2022-02-22T19:22:22Z, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
  const WallTime time{microseconds(1645557742000000)};
  const SessionId id =
      MakeSessionId(time, {0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F});
  CHECK(FormatSessionId(id) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  std::array<uint8_t, 10> ones;
  ones.fill(0xFF);
  CHECK(FormatSessionId(MakeSessionId(WallTime(microseconds(-5)), ones)) ==
        "00000000-0000-7fff-bfff-ffffffffffff");
}

TEST_CASE("the meter notes the totals before the first byte of each bucket") {
  LiveUsage live;
  BoundaryRing ring;
  SessionMeter meter(&live, &ring, SlotId(0));
  meter.Add(Direction::kClientToPeer, 100, 104, BucketIndex(7));
  meter.Add(Direction::kPeerToClient, 50, 56, BucketIndex(7));
  CHECK(live.ring_head.load() == 1);
  meter.Add(Direction::kClientToPeer, 1, 5, BucketIndex(8));
  REQUIRE(live.ring_head.load() == 2);
  CHECK(ring.entries[0].bucket.load() == 7);
  CHECK(ring.entries[0].totals[0].load() == 0);
  CHECK(ring.entries[1].bucket.load() == 8);
  CHECK(ring.entries[1].totals[0].load() == 100);
  CHECK(ring.entries[1].totals[1].load() == 50);
  CHECK(ring.entries[1].totals[2].load() == 104);
  CHECK(ring.entries[1].totals[5].load() == 1);
  CHECK(meter.Totals().billable_bytes() == 151);
  CHECK(meter.Totals().packets == std::array<uint64_t, 2>{2, 1});
}

TEST_CASE("bucket 0 is a bucket like any other") {
  LiveUsage live;
  BoundaryRing ring;
  SessionMeter meter(&live, &ring, SlotId(0));
  meter.Add(Direction::kClientToPeer, 1, 1, BucketIndex(0));
  CHECK(live.ring_head.load() == 1);
}

TEST_CASE("a full ring keeps bytes with the last bucket that has a place, and tries again") {
  LiveUsage live;
  BoundaryRing ring;
  SessionMeter meter(&live, &ring, SlotId(0));
  for (uint32_t bucket = 1; bucket <= BoundaryRing::kCapacity + 2; ++bucket) {
    meter.Add(Direction::kClientToPeer, 10, 10, BucketIndex(bucket));
  }
  CHECK(live.ring_head.load() == BoundaryRing::kCapacity);
  CHECK(live.bucket.load() == BoundaryRing::kCapacity);
  live.ring_tail.store(BoundaryRing::kCapacity - 1);
  meter.Add(Direction::kClientToPeer, 10, 10, BucketIndex(20));
  CHECK(live.bucket.load() == 20);
  const auto& entry = ring.entries[BoundaryRing::kCapacity % BoundaryRing::kCapacity];
  CHECK(entry.bucket.load() == 20);
  CHECK(entry.totals[0].load() == 10 * (BoundaryRing::kCapacity + 2));
}

TEST_CASE("drops are counted by reason and are no usage") {
  LiveUsage live;
  BoundaryRing ring;
  SessionMeter meter(&live, &ring, SlotId(0));
  meter.AddDrop(DropReason::kQueueFull);
  meter.AddDrop(DropReason::kQueueFull);
  CHECK(live.dropped_packets[static_cast<size_t>(DropReason::kQueueFull)].load() == 2);
  CHECK(meter.Totals() == UsageTotals{});
}

}  // namespace
}  // namespace turnpike
