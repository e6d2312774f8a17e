// The disk fails, the process is killed, the power is cut: at every file operation and every step.

#include <doctest/doctest.h>

#include "common/metering/ledger.h"
#include "tests/common/metering/fault_vfs.h"
#include "tests/common/metering/metering_world.h"

namespace turnpike {
namespace {

using metering_test::CopyMetering;
using metering_test::FaultVfs;
using metering_test::QueryOne;
using metering_test::World;
using std::chrono::seconds;

constexpr Direction kUp = Direction::kClientToPeer;
constexpr Direction kDown = Direction::kPeerToClient;

LedgerOptions Faulty() {
  LedgerOptions options;
  options.vfs = FaultVfs::name();
  return options;
}

// Scenario is a few sessions over a few buckets, with checkpoints that may fail. `after` runs after
// each checkpoint. It returns how many checkpoints were committed.
int RunScenario(World& world, const std::function<void()>& after = [] {}) {
  int committed = 0;
  const auto checkpoint = [&] {
    if (world.ledger->Checkpoint(*world.slots, world.now)) ++committed;
    after();
  };
  const SlotId first = world.Begin("acme");
  world.Relay(first, kUp, 100);
  checkpoint();
  const SlotId second = world.Begin("umbrella");
  world.Relay(second, kDown, 5000);
  world.now += seconds(900);
  world.Relay(first, kUp, 11);
  checkpoint();
  world.End(first);
  world.Relay(second, kUp, 70);
  checkpoint();
  const SlotId third = world.Begin("acme");
  world.Relay(third, kDown, 1);
  world.now += seconds(1800);
  world.Relay(third, kDown, 2);
  world.Relay(second, kUp, 3);
  checkpoint();
  world.End(second, CloseReason::kDrained);
  world.End(third, CloseReason::kDrained);
  if (world.ledger->Finish(*world.slots, world.now)) ++committed;
  after();
  return committed;
}

// FailEach runs the scenario with `count` failing operations from the k-th on, for every k until a
// run meets no failure.
void FailEach(int64_t count, int code) {
  for (int64_t k = 1;; ++k) {
    CAPTURE(k);
    const TempDirectory directory;
    FaultVfs vfs;
    World world(directory.path());
    world.Start(Faulty());
    vfs.FailAt(k, count, code);
    const int committed = RunScenario(world);
    const bool failed = vfs.failed();
    vfs.Heal();
    const auto stats = world.ledger->Finish(*world.slots, world.now);
    REQUIRE_MESSAGE(stats, stats.error());
    CHECK(world.slots->used() == 0);
    CHECK(QueryOne(directory.path(), "SELECT state FROM meta") == "closed");
    CHECK(QueryOne(directory.path(), "SELECT count(*) FROM session") == "3");
    world.CheckExact();
    if (!failed) {
      CHECK(committed == 5);
      CHECK(k > 40);  // the scenario is worth the name
      return;
    }
  }
}

TEST_CASE("one failing file operation, for every one: nothing is lost, nothing counted twice") {
  FailEach(1, SQLITE_IOERR);
}

TEST_CASE("a disk that is full from any moment on, until it is not") {
  FailEach(1000, SQLITE_FULL);
}

TEST_CASE("a disk that fails for a while, from any moment on") { FailEach(7, SQLITE_IOERR); }

TEST_CASE("after a commit in doubt growth is said to be partial, and UsageSince has all of it") {
  for (int64_t k = 1;; ++k) {
    CAPTURE(k);
    const TempDirectory directory;
    FaultVfs vfs;
    LedgerOptions options;
    options.vfs = FaultVfs::name();
    World world(directory.path());
    world.Start(options);
    const SlotId slot = world.Begin("acme");
    world.Relay(slot, Direction::kClientToPeer, 100);
    vfs.FailAt(k, 1, SQLITE_IOERR_FSYNC);
    const bool stored = world.ledger->Checkpoint(*world.slots, world.now).has_value();
    const bool failed = vfs.failed();
    vfs.Heal();
    world.Relay(slot, Direction::kClientToPeer, 10);
    const auto stats = world.ledger->Checkpoint(*world.slots, world.now);
    REQUIRE(stats);
    CHECK(stats->growth_is_partial == !stored);
    uint64_t bytes = 0;
    REQUIRE(world.ledger->UsageSince(
        world.now, [&](const AccountUsage& usage) { bytes += usage.row.totals.billable_bytes(); }));
    CHECK(bytes == 110);
    CHECK(!world.ledger->Checkpoint(*world.slots, world.now)->growth_is_partial);
    if (!failed) return;
  }
}

TEST_CASE("a failing file operation at the start is an error, and the next start works") {
  for (int64_t k = 1;; ++k) {
    CAPTURE(k);
    const TempDirectory directory;
    FaultVfs vfs;
    vfs.FailAt(k, 1, SQLITE_IOERR);
    {
      const auto opened = Ledger::Open(directory.path(), metering_test::MakeIdentity(9), Faulty());
      if (!vfs.failed()) {
        CHECK(opened);
        return;
      }
      if (!opened) CHECK(opened.error().find("usage.db") != std::string::npos);
    }
    vfs.Heal();
    World world(directory.path());
    world.Start(Faulty());
    RunScenario(world);
    world.CheckExact();
  }
}

// Restart opens a copy of what a dead process left and demands every byte.
void CheckCopyIsExact(const World& dead, const std::string& copy) {
  World heir(copy);
  heir.identity.boot[15] = 200;
  heir.now = dead.now;
  heir.expected = dead.expected;
  heir.Start();
  heir.Checkpoint();
  heir.CheckExact();
  CHECK(heir.slots->used() == 0);
  CHECK(QueryOne(copy, "SELECT count(*) FROM session WHERE ended_at IS NULL") == "0");
}

TEST_CASE("killed before any file operation: the next start has every byte") {
  const TempDirectory directory;
  const TempDirectory copy;
  FaultVfs vfs;
  World world(directory.path());
  world.Start(Faulty());
  vfs.FailAt(0, 0, SQLITE_IOERR);
  int kills = 0;
  vfs.before = [&](int64_t) {
    // The copy opens files of its own; those are not to be looked at.
    auto look = std::exchange(vfs.before, nullptr);
    CopyMetering(directory.path(), copy.path());
    CheckCopyIsExact(world, copy.path());
    ++kills;
    vfs.before = std::move(look);
  };
  RunScenario(world);
  CHECK(kills > 40);
  vfs.before = nullptr;
  world.CheckExact();
}

TEST_CASE("killed at any step of a checkpoint: the next start has every byte") {
  const TempDirectory directory;
  const TempDirectory copy;
  World world(directory.path());
  std::map<std::string, int> steps;
  LedgerOptions options;
  options.on_step = [&](std::string_view step) {
    ++steps[std::string(step)];
    CopyMetering(directory.path(), copy.path());
    CheckCopyIsExact(world, copy.path());
  };
  world.Start(options);
  RunScenario(world);
  CHECK(steps.size() == 6);
  world.CheckExact();
}

TEST_CASE("killed again and again: sums stay exact over many lives") {
  const TempDirectory directory;
  World world(directory.path());
  for (int life = 0; life < 40; ++life) {
    world.Start();
    const SlotId slot = world.Begin(life % 2 == 0 ? "acme" : "umbrella");
    world.Relay(slot, kUp, 10 + static_cast<uint64_t>(life));
    if (life % 3 == 0) world.Checkpoint();
    world.now += seconds(300);
    world.Relay(slot, kDown, 7);
    if (life % 5 == 0) world.End(slot);
    world.Die();
  }
  world.Start();
  world.Checkpoint();
  world.CheckExact();
}

// Sum adds up what the ledger or the accountant has.
uint64_t Sum(const World::Expected& usage) {
  uint64_t sum = 0;
  for (const auto& [key, bytes] : usage) sum += bytes[0] + bytes[1];
  return sum;
}

// CheckCut starts on what a power cut left: the database is whole, has at least what the last
// commit had, and never more than was relayed.
void CheckCut(const World& dead, const std::string& copy, uint64_t committed) {
  World heir(copy);
  heir.identity.boot[15] = 200;
  heir.now = dead.now;
  heir.Start();
  heir.Checkpoint();
  World::CheckSound(copy);
  const World::Expected booked = World::Booked(copy);
  CHECK(Sum(booked) >= committed);
  for (const auto& [key, bytes] : booked) {
    REQUIRE(dead.expected.contains(key));
    CHECK(bytes[0] <= dead.expected.at(key)[0]);
    CHECK(bytes[1] <= dead.expected.at(key)[1]);
  }
}

TEST_CASE("power cut before any file operation: at most one interval is lost, nothing mixed up") {
  const TempDirectory directory;
  const TempDirectory durable;  // what is synced
  const TempDirectory copy;
  FaultVfs vfs;
  const auto name = [](const std::string& path) { return path.substr(path.rfind('/')); };
  vfs.synced = [&](const std::string& path) {
    std::filesystem::copy_file(path, durable.path() + name(path),
                               std::filesystem::copy_options::overwrite_existing);
  };
  vfs.removed = [&](const std::string& path) {
    std::filesystem::remove(durable.path() + name(path));
  };
  World world(directory.path());
  world.Start(Faulty());
  // The slots' pages reach the disk whenever the kernel likes: not since the start, at the previous
  // checkpoint, or just now.
  const auto slots_file = [](const TempDirectory& in) { return in.file("live.slots"); };
  const std::string first_slots = metering_test::ReadWhole(slots_file(directory));
  std::string old_slots = first_slots;
  uint64_t committed = 0;
  int cuts = 0;
  vfs.before = [&](int64_t) {
    const auto look = std::exchange(vfs.before, nullptr);
    const auto synced = std::exchange(vfs.synced, nullptr);
    const auto removed = std::exchange(vfs.removed, nullptr);
    const std::string now_slots = metering_test::ReadWhole(slots_file(directory));
    for (const std::string* slots : {&first_slots, &std::as_const(old_slots), &now_slots}) {
      metering_test::WriteWhole(slots_file(durable), *slots);
      CopyMetering(durable.path(), copy.path());
      CheckCut(world, copy.path(), committed);
    }
    ++cuts;
    vfs.before = look;
    vfs.synced = synced;
    vfs.removed = removed;
  };
  RunScenario(world, [&] {
    committed = Sum(world.expected);
    old_slots = metering_test::ReadWhole(slots_file(directory));
  });
  CHECK(cuts > 40);
}

}  // namespace
}  // namespace turnpike
