#include "server/cpu_count.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/server/io/io_world.h"

namespace turnpike {

TEST_CASE("a quota is rounded up to whole CPUs") {
  CHECK(ParseCpuMax("200000 100000\n") == 2);
  CHECK(ParseCpuMax("150000 100000\n") == 2);
  CHECK(ParseCpuMax("50000 100000\n") == 1);
  CHECK(ParseCpuMax("max 100000\n") == std::nullopt);
  for (const char* text : {"", "max", "0 100000", "1 0", "x y", "100000"}) {
    CAPTURE(std::string(text));
    CHECK(ParseCpuMax(text) == std::nullopt);
  }
}

TEST_CASE("the smallest quota on the way to the root counts") {
  const TestDirectory mount;
  const auto write = [&](const std::string& group, const char* text) {
    std::filesystem::create_directories(mount.path() + group);
    std::ofstream(mount.path() + group + "/cpu.max") << text;
  };
  write("/pod/container", "max 100000\n");
  write("/pod", "300000 100000\n");
  CHECK(QuotaOf(mount.path(), "/pod/container") == 3);
  write("/pod/container", "100000 100000\n");
  CHECK(QuotaOf(mount.path(), "/pod/container") == 1);
  CHECK(QuotaOf(mount.path(), "/elsewhere") == std::nullopt);
}

TEST_CASE("there is always a CPU") { CHECK(UsableCpus() >= 1); }

}  // namespace turnpike
