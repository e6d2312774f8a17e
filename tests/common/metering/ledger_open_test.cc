// What Ledger::Open refuses, and what it says then.
#include <doctest/doctest.h>
#include <unistd.h>

#include "common/metering/ledger.h"
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
  WriteWhole(path, std::string(5000, 'x'));
  CHECK(OpenError(directory.path()).find(path + " is not a ledger of Turnpike") == 0);
  std::filesystem::remove(path);
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

TEST_CASE("a damaged ledger is found at the start") {
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
  CHECK(OpenError(directory.path()).find("is damaged: restore it from a backup") !=
        std::string::npos);
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
