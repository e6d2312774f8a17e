#include "common/metering/set_aside.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "tests/common/metering/metering_world.h"

namespace turnpike {
namespace {

using metering_test::ReadWhole;
using metering_test::WriteWhole;

TEST_CASE("a damaged ledger keeps its WAL, and the next one gets the next number") {
  const TempDirectory directory;
  const std::string path = directory.file("usage.db");
  CHECK(FilesSetAside(directory.path()) == 0);
  for (const std::string number : {"1", "2"}) {
    WriteWhole(path, "ledger " + number);
    WriteWhole(path + "-wal", "log " + number);
    WriteWhole(path + "-shm", "index");
    REQUIRE(SetAside(path, "a test", "ledger_set_aside", "none"));
    CHECK(ReadWhole(path + ".damaged-" + number) == "ledger " + number);
    CHECK(ReadWhole(path + ".damaged-" + number + "-wal") == "log " + number);
  }
  CHECK(FilesSetAside(directory.path()) == 2);
  for (const char* suffix : {"", "-wal", "-shm"}) CHECK(!std::filesystem::exists(path + suffix));
}

TEST_CASE("a ledger that cannot be renamed is an error that names it") {
  const TempDirectory directory;
  const auto missing = SetAside(directory.file("usage.db"), "a test", "ledger_set_aside", "none");
  REQUIRE(!missing);
  CHECK(missing.error().find("usage.db is damaged and cannot be renamed") != std::string::npos);
}

}  // namespace
}  // namespace turnpike
