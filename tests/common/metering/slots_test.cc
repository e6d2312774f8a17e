#include "common/metering/slots.h"

#include <doctest/doctest.h>

#include <thread>

#include "common/metering/set_aside.h"
#include "common/metering/slot_layout.h"
#include "tests/common/metering/metering_world.h"

namespace turnpike {
namespace {

using metering_test::kNoon;
using metering_test::MakeIdentity;
using metering_test::MakeInfo;
using metering_test::ReadWhole;
using metering_test::WriteWhole;
using std::chrono::seconds;

std::unique_ptr<SlotFile> OpenSlots(const std::string& path, uint32_t max_slots = 2048,
                                    uint8_t boot = 1) {
  auto slots = SlotFile::Open(path, max_slots, MakeIdentity(boot));
  REQUIRE_MESSAGE(slots, slots.error());
  return std::move(*slots);
}

std::string OpenError(const std::string& path) {
  const auto slots = SlotFile::Open(path, 2048, MakeIdentity(1));
  REQUIRE(!slots);
  return slots.error();
}

size_t RecordAt(uint32_t slot) {
  return SegmentOffset(0) + kRecordOffset + slot * sizeof(SlotRecord);
}

TEST_CASE("a slot carries the session from Acquire to Free") {
  const TempDirectory directory;
  auto slots = OpenSlots(directory.file("live.slots"));
  SessionInfo info = MakeInfo(1, "acme", kNoon);
  info.transport = Transport::kTls;
  info.client = *TransportAddress::Parse("[2001:db8::7]:50000");
  auto meter = slots->Acquire(info);
  REQUIRE(meter);
  CHECK(slots->used() == 1);
  meter->Add(Direction::kClientToPeer, 10, 14, BucketOf(kNoon));
  meter->AddDrop(DropReason::kNoChannel);

  SlotSnapshot snapshot = slots->Read(meter->slot());
  CHECK(!snapshot.closed);
  CHECK(snapshot.totals.payload_bytes[0] == 10);
  CHECK(snapshot.dropped_packets[static_cast<size_t>(DropReason::kNoChannel)] == 1);
  REQUIRE(snapshot.boundaries.size() == 1);
  const SessionInfo read = slots->ReadInfo(meter->slot());
  CHECK(read.id == info.id);
  CHECK(read.account == "acme");
  CHECK(read.label == "web");
  CHECK(read.username == "user-1");
  CHECK(read.transport == Transport::kTls);
  CHECK(read.client == info.client);
  CHECK(read.relayed == info.relayed);
  CHECK(read.started_at == kNoon);
  CHECK(slots->ReadIdentity(meter->slot()) == MakeIdentity(1));

  slots->Close(meter->slot(), CloseReason::kExpired, kNoon + seconds(9));
  snapshot = slots->Read(meter->slot());
  CHECK(snapshot.closed);
  CHECK(snapshot.close_reason == CloseReason::kExpired);
  CHECK(snapshot.ended_at == kNoon + seconds(9));
  slots->Free(meter->slot());
  CHECK(slots->used() == 0);
  CHECK(slots->UsedSlots().empty());
}

TEST_CASE("a slot's next session begins at zero") {
  const TempDirectory directory;
  auto slots = OpenSlots(directory.file("live.slots"), 1);
  auto meter = slots->Acquire(MakeInfo(1, "acme", kNoon));
  REQUIRE(meter);
  meter->Add(Direction::kClientToPeer, 10, 14, BucketOf(kNoon));
  meter->AddDrop(DropReason::kLimit);
  CHECK(slots->Acquire(MakeInfo(2, "acme", kNoon)).error() == SlotError::kExhausted);
  slots->Close(meter->slot(), CloseReason::kExpired, kNoon - seconds(9));  // the clock stepped back
  CHECK(slots->Read(meter->slot()).ended_at == kNoon);
  CHECK(slots->Acquire(MakeInfo(2, "acme", kNoon)).error() == SlotError::kExhausted);
  slots->Free(meter->slot());
  const auto next = slots->Acquire(MakeInfo(2, "other", kNoon));
  REQUIRE(next);
  const SlotSnapshot snapshot = slots->Read(next->slot());
  CHECK(snapshot.totals == UsageTotals{});
  CHECK(snapshot.dropped_packets[static_cast<size_t>(DropReason::kLimit)] == 0);
  CHECK(snapshot.boundaries.empty());
  CHECK(slots->ReadInfo(next->slot()).account == "other");
}

TEST_CASE("names of full length and any bytes stay exact") {
  const TempDirectory directory;
  auto slots = OpenSlots(directory.file("live.slots"));
  SessionInfo info = MakeInfo(1, std::string(kMaxAccountBytes, '\0'), kNoon);
  info.label = std::string(kMaxLabelBytes, '\xFF');
  for (size_t i = 0; i < kMaxUsernameBytes; ++i) info.username += static_cast<char>(i);
  info.username.resize(kMaxUsernameBytes);
  const auto meter = slots->Acquire(info);
  REQUIRE(meter);
  const SessionInfo read = slots->ReadInfo(meter->slot());
  CHECK(read.account == info.account);
  CHECK(read.label == info.label);
  CHECK(read.username == info.username);
}

TEST_CASE("a damaged byte of a long name drops the record, and one beyond the name does not") {
  const TempDirectory directory;
  const std::string path = directory.file("live.slots");
  SessionInfo info = MakeInfo(1, "acme", kNoon);
  info.username = std::string(kRecordNameBytes + 100, 'u');
  const size_t in_tail = info.account.size() + info.label.size() + 100;
  auto slots = OpenSlots(path);
  const SlotId slot = slots->Acquire(info)->slot();
  slots.reset();
  const std::string whole = ReadWhole(path);
  const auto used_after_damage = [&](size_t at) {
    std::string bytes = whole;
    bytes[SegmentOffset(0) + kTailOffset + slot.value() * sizeof(NameTail) + at] ^= 1;
    WriteWhole(path, bytes);
    return OpenSlots(path)->used();
  };
  CHECK(used_after_damage(0) == 0);
  CHECK(used_after_damage(in_tail - 1) == 0);
  CHECK(used_after_damage(in_tail) == 1);
  WriteWhole(path, whole);
  CHECK(OpenSlots(path)->ReadInfo(slot).username == info.username);
}

TEST_CASE("sessions of a dead process are closed as crash and keep every byte and their identity") {
  const TempDirectory directory;
  const std::string path = directory.file("live.slots");
  auto slots = OpenSlots(path, 2048, 1);
  auto live = slots->Acquire(MakeInfo(1, "acme", kNoon));
  const auto closed = slots->Acquire(MakeInfo(2, "acme", kNoon));
  const auto late = slots->Acquire(MakeInfo(3, "acme", kNoon + seconds(60)));
  REQUIRE((live && closed && late));
  live->Add(Direction::kPeerToClient, 7, 11, BucketOf(kNoon));
  slots->Close(closed->slot(), CloseReason::kQuota, kNoon + seconds(5));
  slots->Heartbeat(kNoon + seconds(30));
  const SlotId slot = live->slot();
  const SlotId closed_slot = closed->slot();
  const SlotId late_slot = late->slot();
  slots.reset();

  LedgerIdentity other = MakeIdentity(2);
  other.region = "de1";
  slots = *SlotFile::Open(path, 2048, other);
  CHECK(slots->used() == 3);
  SlotSnapshot snapshot = slots->Read(slot);
  CHECK(snapshot.closed);
  CHECK(snapshot.close_reason == CloseReason::kCrash);
  CHECK(snapshot.ended_at == kNoon + seconds(30));
  CHECK(snapshot.totals.payload_bytes[1] == 7);
  CHECK(slots->ReadIdentity(slot) == MakeIdentity(1));
  CHECK(slots->Read(closed_slot).close_reason == CloseReason::kQuota);
  CHECK(slots->Read(late_slot).ended_at == kNoon + seconds(60));
  const auto fresh = slots->Acquire(MakeInfo(4, "acme", kNoon));
  REQUIRE(fresh);
  CHECK(slots->ReadIdentity(fresh->slot()) == other);
}

TEST_CASE("a slot whose process died within Acquire is free") {
  const TempDirectory directory;
  const std::string path = directory.file("live.slots");
  auto slots = OpenSlots(path);
  const auto meter = slots->Acquire(MakeInfo(1, "acme", kNoon));
  REQUIRE(meter);
  const uint32_t slot = meter->slot().value();
  slots.reset();
  // The state is what Acquire writes last: without it, everything else may be there, or half of it.
  const std::string whole = ReadWhole(path);
  for (size_t cut = 0; cut <= sizeof(SlotRecord); cut += 8) {
    std::string torn = whole;
    torn.replace(RecordAt(slot), 4, 4, '\0');
    const size_t kept = std::max<size_t>(cut, 4);
    torn.replace(RecordAt(slot) + kept, sizeof(SlotRecord) - kept, sizeof(SlotRecord) - kept, '\0');
    WriteWhole(path, torn);
    slots = OpenSlots(path);
    CHECK(slots->UsedSlots().empty());
    CHECK(slots->Acquire(MakeInfo(2, "acme", kNoon)));
    slots.reset();
  }
}

TEST_CASE("a power cut never mixes two sessions") {
  const TempDirectory directory;
  const std::string path = directory.file("live.slots");
  auto slots = OpenSlots(path, 1);
  auto first = slots->Acquire(MakeInfo(1, "acme", kNoon));
  REQUIRE(first);
  first->Add(Direction::kClientToPeer, 10, 14, BucketOf(kNoon));
  slots->Close(first->slot(), CloseReason::kExpired, kNoon);
  const std::string old = ReadWhole(path);
  slots->Free(first->slot());
  auto second = slots->Acquire(MakeInfo(2, "other", kNoon));
  REQUIRE(second);
  second->Add(Direction::kClientToPeer, 1000, 1004, BucketOf(kNoon));
  slots.reset();
  const std::string fresh = ReadWhole(path);

  SUBCASE("old record, new counters") {
    std::string mixed = fresh;
    mixed.replace(RecordAt(0), sizeof(SlotRecord), old, RecordAt(0), sizeof(SlotRecord));
    WriteWhole(path, mixed);
    slots = OpenSlots(path, 1);
    REQUIRE(slots->UsedSlots().size() == 1);
    CHECK(slots->Read(SlotId(0)).totals == UsageTotals{});
  }
  SUBCASE("new record, old counters") {
    std::string mixed = old;
    mixed.replace(RecordAt(0), sizeof(SlotRecord), fresh, RecordAt(0), sizeof(SlotRecord));
    WriteWhole(path, mixed);
    slots = OpenSlots(path, 1);
    CHECK(slots->Read(SlotId(0)).totals == UsageTotals{});
  }
  SUBCASE("old ring") {
    std::string mixed = fresh;
    const size_t ring = SegmentOffset(0) + kRingOffset;
    mixed.replace(ring, sizeof(BoundaryRing), old, ring, sizeof(BoundaryRing));
    WriteWhole(path, mixed);
    slots = OpenSlots(path, 1);
    const SlotSnapshot snapshot = slots->Read(SlotId(0));
    CHECK(snapshot.totals.payload_bytes[0] == 1000);
    CHECK(snapshot.boundaries.empty());
    CHECK(snapshot.bucket == BucketOf(kNoon));
  }
  SUBCASE("half a record") {
    std::string mixed = fresh;
    mixed.replace(RecordAt(0) + 128, 128, 128, 'x');
    WriteWhole(path, mixed);
    slots = OpenSlots(path, 1);
    CHECK(slots->UsedSlots().empty());
    CHECK(slots->Acquire(MakeInfo(3, "acme", kNoon)));
  }
}

TEST_CASE("the file grows by segments up to the limit, and keeps its sessions") {
  const TempDirectory directory;
  const std::string path = directory.file("live.slots");
  auto slots = OpenSlots(path, 1500);
  std::vector<SessionMeter> meters;
  for (uint32_t i = 0; i < 1500; ++i) {
    const auto meter = slots->Acquire(MakeInfo(i, "acme", kNoon));
    REQUIRE(meter);
    meters.push_back(*meter);
    meters.back().Add(Direction::kClientToPeer, i, i, BucketOf(kNoon));
  }
  CHECK(slots->Acquire(MakeInfo(9999, "acme", kNoon)).error() == SlotError::kExhausted);
  CHECK(slots->capacity() == 1500);
  CHECK(std::filesystem::file_size(path) == SegmentOffset(2));
  slots.reset();
  // A lower limit of the next start loses nothing.
  slots = OpenSlots(path, 10, 2);
  CHECK(slots->UsedSlots().size() == 1500);
  CHECK(slots->Read(meters[1499].slot()).totals.payload_bytes[0] == 1499);
  CHECK(!slots->Acquire(MakeInfo(9999, "acme", kNoon)));
  for (const SlotId slot : slots->UsedSlots()) slots->Free(slot);
  for (uint32_t i = 0; i < 10; ++i) CHECK(slots->Acquire(MakeInfo(i, "acme", kNoon)));
  CHECK(!slots->Acquire(MakeInfo(11, "acme", kNoon)));
}

TEST_CASE("a segment whose count a power cut lost keeps its sessions") {
  const TempDirectory directory;
  const std::string path = directory.file("live.slots");
  auto slots = OpenSlots(path);
  auto meter = slots->Acquire(MakeInfo(1, "acme", kNoon));
  REQUIRE(meter);
  meter->Add(Direction::kClientToPeer, 10, 14, BucketOf(kNoon));
  slots.reset();
  std::string bytes = ReadWhole(path);
  bytes[offsetof(SlotFileHeader, segments)] = 0;
  WriteWhole(path, bytes);
  slots = OpenSlots(path, 2048, 2);
  REQUIRE(slots->UsedSlots().size() == 1);
  CHECK(slots->ReadIdentity(SlotId(0)) == MakeIdentity(1));
  CHECK(slots->Read(SlotId(0)).totals.payload_bytes[0] == 10);
  CHECK(slots->Acquire(MakeInfo(2, "acme", kNoon)));
}

TEST_CASE("Settle retires all boundaries but the newest") {
  const TempDirectory directory;
  auto slots = OpenSlots(directory.file("live.slots"));
  auto meter = slots->Acquire(MakeInfo(1, "acme", kNoon));
  REQUIRE(meter);
  for (uint32_t i = 0; i < 3; ++i) {
    meter->Add(Direction::kClientToPeer, 10, 10, BucketOf(kNoon + i * kBucketWidth));
  }
  const SlotSnapshot snapshot = slots->Read(meter->slot());
  CHECK(snapshot.boundaries.size() == 3);
  slots->Settle(snapshot);
  CHECK(slots->Read(meter->slot()).boundaries.size() == 1);
  slots->Settle(snapshot);
  const SlotSnapshot again = slots->Read(meter->slot());
  REQUIRE(again.boundaries.size() == 1);
  CHECK(again.boundaries[0].totals.payload_bytes[0] == 20);
}

TEST_CASE("a snapshot beside a running worker never has a bucket's bytes without its boundary") {
  const TempDirectory directory;
  auto slots = OpenSlots(directory.file("live.slots"));
  auto meter = slots->Acquire(MakeInfo(1, "acme", kNoon));
  REQUIRE(meter);
  constexpr uint32_t kBuckets = 5000;
  // Exactly 3 bytes belong to each bucket, so every boundary and every total can be checked alone.
  std::thread worker([meter = *meter, live = &*slots]() mutable {
    for (uint32_t bucket = 1; bucket <= kBuckets; ++bucket) {
      // Waits for room, so that no bucket is skipped.
      while (live->Read(meter.slot()).boundaries.size() == BoundaryRing::kCapacity) {
        std::this_thread::yield();
      }
      for (int i = 0; i < 3; ++i) meter.Add(Direction::kClientToPeer, 1, 1, BucketIndex(bucket));
    }
  });
  uint64_t seen = 0;
  while (seen < 3 * kBuckets) {
    const SlotSnapshot snapshot = slots->Read(meter->slot());
    const uint64_t total = snapshot.totals.payload_bytes[0];
    REQUIRE(total >= seen);
    seen = total;
    for (const auto& boundary : snapshot.boundaries) {
      REQUIRE(boundary.totals.payload_bytes[0] == 3 * (boundary.bucket.value() - 1));
    }
    if (!snapshot.boundaries.empty()) {
      REQUIRE(total <= 3 * snapshot.boundaries.back().bucket.value());
    }
    slots->Settle(snapshot);
  }
  worker.join();
}

TEST_CASE("one process per file") {
  const TempDirectory directory;
  const std::string path = directory.file("live.slots");
  const auto slots = OpenSlots(path);
  CHECK(OpenError(path).find(path + " is in use by another process") == 0);
}

TEST_CASE("a damaged slot file is set aside, whole, and a new one begun") {
  const TempDirectory directory;
  const std::string path = directory.file("live.slots");
  OpenSlots(path).reset();
  const std::string whole = ReadWhole(path);
  const std::string damaged[] = {"hello", std::string(100'000, 'x'),
                                 whole.substr(0, SegmentOffset(0) + 5000), whole.substr(0, 700)};
  for (size_t i = 0; i < std::size(damaged); ++i) {
    WriteWhole(path, damaged[i]);
    CHECK(OpenSlots(path)->used() == 0);
    CHECK(ReadWhole(path + ".damaged-" + std::to_string(i + 1)) == damaged[i]);
  }
  CHECK(FilesSetAside(directory.path()) == std::size(damaged));
  WriteWhole(path, "");
  CHECK(OpenSlots(path)->used() == 0);
  CHECK(FilesSetAside(directory.path()) == std::size(damaged));
}

TEST_CASE("a slot file of another release is refused, and said so") {
  const TempDirectory directory;
  const std::string path = directory.file("live.slots");
  CHECK(OpenError(directory.file("missing/live.slots")).find("metering.directory must exist") !=
        std::string::npos);
  OpenSlots(path).reset();
  std::string bytes = ReadWhole(path);
  bytes[8] = 3;
  WriteWhole(path, bytes);
  CHECK(OpenError(path).find("has format 3") != std::string::npos);
  bytes[8] = 1;
  WriteWhole(path, bytes);
  CHECK(OpenError(path).find("has format 1, of a build before the first") != std::string::npos);
  WriteWhole(path, std::string(300, '\0'));
  CHECK(OpenSlots(path)->used() == 0);
}

TEST_CASE("names that do not fit the header are refused") {
  const TempDirectory directory;
  LedgerIdentity identity = MakeIdentity(1);
  identity.node = std::string(1000, 'n');
  CHECK(!SlotFile::Open(directory.file("live.slots"), 10, identity));
}

TEST_CASE("each run that has sessions keeps a boot record of its own") {
  const TempDirectory directory;
  const std::string path = directory.file("live.slots");
  std::vector<SlotId> slots_of_boot;
  for (uint8_t boot = 0; boot < kMaxBoots; ++boot) {
    auto slots = OpenSlots(path, 2048, boot);
    const auto meter = slots->Acquire(MakeInfo(boot, "acme", kNoon));
    REQUIRE(meter);
    slots_of_boot.push_back(meter->slot());
  }
  CHECK(OpenError(path).find("earlier runs") != std::string::npos);
}

}  // namespace
}  // namespace turnpike
