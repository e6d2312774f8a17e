#include "server/ops/process_usage.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

namespace turnpike {
namespace {

TEST_CASE("the kernel tells about this process") {
  const ProcessUsage usage = ReadProcessUsage();
  CHECK(usage.resident_bytes > 100'000);
  CHECK(usage.virtual_bytes >= usage.resident_bytes);
  CHECK(usage.open_fds >= 1);
  CHECK(usage.max_fds >= usage.open_fds);
  CHECK(usage.start_time_ms > 1'700'000'000'000);
}

TEST_CASE("an opened file is one more descriptor") {
  const uint64_t before = ReadProcessUsage().open_fds;
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  CHECK(ReadProcessUsage().open_fds == before + 1);
  close(fd);
}

}  // namespace
}  // namespace turnpike
