// What Ledger::Open refuses, and what it says then.
#include <doctest/doctest.h>
#include <unistd.h>

#include "common/metering/ledger.h"
#include "common/metering/set_aside.h"
#include "tests/common/metering/metering_world.h"

namespace turnpike {
namespace {

using metering_test::Query;
using metering_test::ReadWhole;
using metering_test::World;
using metering_test::WriteWhole;

constexpr Direction kUp = Direction::kClientToPeer;

std::string OpenError(const std::string& directory) {
  const auto ledger = Ledger::Open(directory, metering_test::MakeIdentity(1));
  REQUIRE(!ledger);
  return ledger.error();
}

TEST_CASE("one writer per directory") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  CHECK(OpenError(directory.path()).find("usage.lock is in use by another process") !=
        std::string::npos);
}

TEST_CASE("what is not our ledger is refused with the file and the remedy, and not touched") {
  const TempDirectory directory;
  const std::string path = directory.file("usage.db");
  CHECK(OpenError(directory.file("missing")).find("metering.directory must exist") !=
        std::string::npos);
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  sqlite3_exec(db, "CREATE TABLE t(x)", nullptr, nullptr, nullptr);
  sqlite3_close(db);
  const std::string foreign = ReadWhole(path);
  CHECK(OpenError(directory.path()).find("another application's database") != std::string::npos);
  CHECK(ReadWhole(path) == foreign);
  std::filesystem::remove(path);
  World(directory.path()).Start();
  Query(directory.path(), "PRAGMA user_version = 3");
  CHECK(OpenError(directory.path()).find("has schema 3, this program knows 1 to 2") !=
        std::string::npos);
}

TEST_CASE("a damaged ledger is set aside at the start, whole, and a new one begun") {
  const TempDirectory directory;
  World world(directory.path());
  world.Start();
  for (int i = 0; i < 300; ++i) world.Relay(world.Begin("account-" + std::to_string(i)), kUp, 10);
  world.Checkpoint();
  for (const auto& [slot, session] : world.sessions) {
    world.slots->Close(slot, CloseReason::kDrained, world.now);
  }
  REQUIRE(world.ledger->Finish(*world.slots, world.now));
  world.Die();
  std::string bytes = ReadWhole(directory.file("usage.db"));
  REQUIRE(bytes.size() > 20 * 4096);
  bytes.replace(12 * 4096, 4096, 4096, '\x5A');
  WriteWhole(directory.file("usage.db"), bytes);
  const std::string damaged = ReadWhole(directory.file("usage.db"));
  world.Start();
  CHECK(FilesSetAside(directory.path()) == 1);
  CHECK(ReadWhole(directory.file("usage.db.damaged-1")) == damaged);
  // What comes now is booked, and the second damage does not overwrite the first.
  world.Relay(world.Begin("acme"), kUp, 10);
  world.Checkpoint();
  world.Die();
  WriteWhole(directory.file("usage.db"), std::string(8192, '\x5A'));
  WriteWhole(directory.file("usage.db-wal"), "a wal");
  world.Start();
  CHECK(FilesSetAside(directory.path()) == 2);
  CHECK(ReadWhole(directory.file("usage.db.damaged-1")) == damaged);
  CHECK(ReadWhole(directory.file("usage.db.damaged-2-wal")) == "a wal");
  world.Checkpoint();
  REQUIRE(world.ledger->BillableTotals().size() == 1);
  CHECK(world.ledger->BillableTotals()[0].account == "acme");
}

TEST_CASE("a read-only ledger is refused") {
  if (geteuid() == 0) return;  // root writes anyway
  const TempDirectory directory;
  World(directory.path()).Start();
  std::filesystem::permissions(directory.file("usage.db"), std::filesystem::perms::owner_read);
  CHECK(OpenError(directory.path()).find("is read-only for this user") != std::string::npos);
}

}  // namespace
}  // namespace turnpike
