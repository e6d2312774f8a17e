#include "server/ledger_thread.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <numeric>

#include "tests/common/metering/fault_vfs.h"
#include "tests/server/io/io_world.h"

namespace turnpike {
namespace {

// Eventually asks the thread's published status until `holds`, for five seconds at most.
bool Eventually(const LedgerThread& thread, const std::function<bool(const LedgerStatus&)>& holds) {
  UvLoop loop;
  UvTimer look(loop.get());
  struct {
    void OnTimer() {}
  } nothing;
  look.Start<&decltype(nothing)::OnTimer>(&nothing, 1, 1);
  return LoopUntil(loop.get(), [&] { return holds(*thread.status()); });
}

struct LedgerWorld {
  std::unique_ptr<Ledger> Open(const std::string& vfs = {}) {
    LedgerOptions options;
    options.vfs = vfs;
    return std::move(*Ledger::Open(directory.path(), identity, options));
  }

  SessionMeter Session(uint8_t id) {
    SessionInfo info;
    info.id[0] = id;
    info.account = "acme";
    return *slots->Acquire(info);
  }

  TestDirectory directory;
  LedgerIdentity identity{"n", "r", "e", {1}};
  std::unique_ptr<SlotFile> slots =
      *SlotFile::Open(directory.path() + "/live.slots", 1024, identity);
};

constexpr auto kHour = std::chrono::hours(1);
constexpr LedgerRetention kKeep{std::chrono::hours(24 * 90), std::chrono::hours(24 * 396)};

}  // namespace

TEST_CASE("checkpoints publish what is committed, and count how long they took") {
  LedgerWorld world;
  LedgerThread thread(world.Open(), *world.slots, std::chrono::milliseconds(1), kKeep);
  REQUIRE(thread.status() != nullptr);
  SessionMeter meter = world.Session(1);
  meter.Add(Direction::kClientToPeer, 100, 104, BucketOf(ReadClocks().wall));
  thread.Start();
  REQUIRE(Eventually(thread, [](const LedgerStatus& status) { return !status.billable.empty(); }));
  const auto status = thread.status();
  CHECK(status->healthy);
  CHECK(status->billable[0].account == "acme");
  CHECK(status->billable[0].payload_bytes[0] == 100);
  CHECK(status->unpersisted_bytes == 0);
  CHECK(status->last_commit > WallTime());
  CHECK(std::accumulate(status->commit_buckets.begin(), status->commit_buckets.end(), 0u) > 0);
  CHECK(status->commit_sum_us > 0);
  CHECK(thread.Stop());
}

TEST_CASE("what an earlier process left is committed before the thread starts") {
  LedgerWorld world;
  SessionMeter meter = world.Session(1);
  meter.Add(Direction::kPeerToClient, 7, 11, BucketOf(ReadClocks().wall));
  world.slots->CloseAllLive(CloseReason::kCrash, ReadClocks().wall);
  LedgerThread thread(world.Open(), *world.slots, kHour, kKeep);
  thread.Recover();
  CHECK(world.slots->used() == 0);
  CHECK(thread.status()->billable[0].payload_bytes[1] == 7);
}

TEST_CASE("the last checkpoint comes with Stop, started or not") {
  for (const bool start : {true, false}) {
    CAPTURE(start);
    LedgerWorld world;
    LedgerThread thread(world.Open(), *world.slots, kHour, kKeep);
    SessionMeter meter = world.Session(1);
    if (start) thread.Start();
    meter.Add(Direction::kClientToPeer, 5, 9, BucketOf(ReadClocks().wall));
    world.slots->Close(meter.slot(), CloseReason::kDrained, ReadClocks().wall);
    CHECK(thread.Stop());
    CHECK(world.slots->used() == 0);
    CHECK(thread.status()->billable[0].payload_bytes[0] == 5);
  }
}

TEST_CASE("slots that run short bring the checkpoint forward") {
  LedgerWorld world;
  LedgerThread thread(world.Open(), *world.slots, kHour, kKeep);
  while (const auto meter = world.slots->Acquire(SessionInfo())) {
    world.slots->Close(meter->slot(), CloseReason::kExpired, ReadClocks().wall);
  }
  thread.Start();
  REQUIRE(Eventually(thread, [&](const LedgerStatus&) { return world.slots->used() == 0; }));
  CHECK(thread.Stop());
}

TEST_CASE("a ledger that cannot be written is published as unhealthy, and heals") {
  metering_test::FaultVfs disk;
  LedgerWorld world;
  LedgerThread thread(world.Open(disk.name()), *world.slots, kHour, kKeep);
  SessionMeter meter = world.Session(1);
  meter.Add(Direction::kClientToPeer, 100, 104, BucketOf(ReadClocks().wall));
  disk.FailAt(1, INT64_MAX / 2, SQLITE_FULL);
  thread.Recover();
  thread.Recover();
  auto status = thread.status();
  CHECK_FALSE(status->healthy);
  CHECK(status->unpersisted_bytes == 100);
  CHECK(status->checkpoints_failed == 2);
  CHECK(!status->last_error.empty());
  disk.Heal();
  thread.Recover();
  status = thread.status();
  CHECK(status->healthy);
  CHECK(status->last_error.empty());
  CHECK(status->unpersisted_bytes == 0);
  CHECK(status->billable[0].payload_bytes[0] == 100);
}

TEST_CASE("a backup is made at the start and logged; checkpoints go on") {
  LedgerWorld world;
  const TestDirectory target;
  SessionMeter meter = world.Session(1);
  meter.Add(Direction::kClientToPeer, 100, 104, BucketOf(ReadClocks().wall));
  LedgerThread thread(world.Open(), *world.slots, std::chrono::milliseconds(20), kKeep,
                      {.directory = target.path()});
  thread.Recover();
  thread.Start();
  CHECK(thread.status()->backup_interval_s == 86'400);
  CHECK(thread.status()->last_backup == WallTime{});
  REQUIRE(Eventually(thread,
                     [&](const LedgerStatus& status) { return status.last_backup != WallTime{}; }));
  CHECK(std::filesystem::exists(target.path() + "/usage.db"));
  CHECK(thread.status()->last_backup <= thread.status()->last_commit);
  CHECK(thread.Stop());
  CHECK(Ledger::Open(target.path(), world.identity).has_value());
}

TEST_CASE("a last checkpoint that fails leaves the bytes in the slots, and says so") {
  metering_test::FaultVfs disk;
  LedgerWorld world;
  LedgerThread thread(world.Open(disk.name()), *world.slots, kHour, kKeep);
  SessionMeter meter = world.Session(1);
  meter.Add(Direction::kClientToPeer, 100, 104, BucketOf(ReadClocks().wall));
  world.slots->Close(meter.slot(), CloseReason::kDrained, ReadClocks().wall);
  disk.FailAt(1, INT64_MAX / 2, SQLITE_FULL);
  thread.Start();
  CHECK_FALSE(thread.Stop());
  CHECK(thread.status()->unpersisted_bytes == 100);
  CHECK(world.slots->used() == 1);
}

}  // namespace turnpike
