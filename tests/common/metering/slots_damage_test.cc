// A slot file with flipped bits: refused, or said, and nothing is invented.
#include <doctest/doctest.h>

#include "common/base/log.h"
#include "common/metering/set_aside.h"
#include "common/metering/slot_layout.h"
#include "tests/common/metering/billing_world.h"

namespace turnpike {
namespace {

using metering_test::BillingWorld;
using metering_test::Query;
using metering_test::ReadWhole;
using metering_test::World;
using metering_test::WriteWhole;

constexpr size_t kRecordAt = SegmentOffset(0) + kRecordOffset;
constexpr size_t kRingAt = SegmentOffset(0) + kRingOffset;

// DeadWorld is what a killed server left: one session of 900 bytes in two buckets, none in the
// ledger.
struct DeadWorld {
  TempDirectory directory;
  std::string slots;

  DeadWorld() {
    World world(directory.path());
    world.Start();
    const SlotId slot = world.Begin("acme");
    CHECK(slot == SlotId(0));
    world.Relay(slot, Direction::kClientToPeer, 300);
    world.now += std::chrono::minutes(20);
    world.Relay(slot, Direction::kPeerToClient, 600);
    world.Die();
    slots = ReadWhole(directory.file("live.slots"));
  }

  // Book starts a server on the slot file with one bit flipped, and returns what it bills; nothing
  // when it refuses to start.
  std::optional<std::vector<std::vector<std::string>>> Book(size_t byte, int bit) const {
    const TempDirectory copy;
    metering_test::CopyMetering(directory.path(), copy.path());
    std::string bytes = slots;
    bytes[byte] = static_cast<char>(bytes[byte] ^ (1 << bit));
    WriteWhole(copy.file("live.slots"), bytes);
    const LedgerIdentity identity = metering_test::MakeIdentity(50);
    const auto file = SlotFile::Open(copy.file("live.slots"), 4096, identity);
    if (!file) {
      CHECK(file.error().find("live.slots") != std::string::npos);
      return std::nullopt;
    }
    const auto ledger = Ledger::Open(copy.path(), identity);
    REQUIRE(ledger);
    REQUIRE((*ledger)->Checkpoint(**file, metering_test::kNoon));
    CHECK(BillingWorld::VerifyFile(copy.path()) == "");
    return Query(copy.path(),
                 "SELECT name, node, region, edge, hex(boot.id), label, username, transport, "
                 "client_to_peer_bytes + peer_to_client_bytes FROM session JOIN boot ON boot.key = "
                 "boot JOIN account ON account.key = account");
  }
};

TEST_CASE("a flipped bit of header, boot record, record or ring invents no name and no byte") {
  ConfigureLog(LogLevel::kError, LogFormat::kJson);
  const DeadWorld dead;
  const auto whole = *dead.Book(dead.slots.size() - 1, 0);  // a byte of a slot that is not used
  REQUIRE(whole.size() == 1);
  REQUIRE(whole[0].back() == "900");
  int refused = 0;
  int dropped = 0;
  const auto flip = [&](size_t byte, int bit) {
    CAPTURE(byte);
    CAPTURE(bit);
    const auto booked = dead.Book(byte, bit);
    if (!booked) {
      ++refused;
    } else if (booked->empty()) {
      ++dropped;
    } else {
      REQUIRE(booked->size() == 1);
      auto row = booked->front();
      CHECK(std::stoull(row.back()) <= 900);
      row.back() = "900";
      CHECK(row == whole.front());
    }
  };
  for (size_t i = 0; i < 56; ++i) flip(i, static_cast<int>(i % 8));
  const size_t boot = offsetof(SlotFileHeader, boots);
  for (size_t i = 0; i < 60; ++i) flip(boot + i, static_cast<int>(i % 8));
  for (size_t i = 0; i < sizeof(SlotRecord); ++i) flip(kRecordAt + i, static_cast<int>(i % 8));
  for (size_t i = 0; i < 3 * sizeof(BoundaryRing::Entry); i += 2) {
    flip(kRingAt + i, static_cast<int>(i % 8));
  }
  CHECK(refused == 4);   // another format: it may be a newer release's
  CHECK(dropped > 270);  // magic and sizes (set aside), records and boot records
  ConfigureLog(LogLevel::kInfo, LogFormat::kJson);
}

TEST_CASE("a flipped bit of a counter never becomes more than a message's size") {
  ConfigureLog(LogLevel::kError, LogFormat::kJson);
  const DeadWorld dead;
  for (size_t i = 0; i < 64; ++i) {
    for (const int bit : {0, 3, 7}) {
      CAPTURE(i);
      CAPTURE(bit);
      const auto booked = dead.Book(SegmentOffset(0) + i, bit);
      REQUIRE(booked);
      REQUIRE(booked->size() == 1);
      CHECK(std::stoull(booked->front().back()) <= 900 + 65'600);
    }
  }
  // Gigabytes are found: the counters are not used at all.
  CHECK(dead.Book(SegmentOffset(0) + 4, 0)->front().back() == "0");
  ConfigureLog(LogLevel::kInfo, LogFormat::kJson);
}

TEST_CASE("another process's file is not set aside, whatever its directory is called") {
  const TempDirectory directory;
  const std::string parent = directory.file("this is damaged");
  std::filesystem::create_directory(parent);
  const LedgerIdentity identity = metering_test::MakeIdentity(50);
  const auto first = SlotFile::Open(parent + "/live.slots", 1024, identity);
  REQUIRE(first);
  const auto second = SlotFile::Open(parent + "/live.slots", 1024, identity);
  REQUIRE(!second);
  CHECK(second.error().contains("is in use by another process"));
  CHECK(FilesSetAside(parent) == 0);
}

}  // namespace
}  // namespace turnpike
