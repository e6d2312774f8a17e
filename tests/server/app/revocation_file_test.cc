#include "server/revocation_file.h"

#include <doctest/doctest.h>

#include <fstream>

#include "tests/support/temp_directory.h"

namespace turnpike {

TEST_CASE("revocations outlive the process until their time has passed") {
  const TempDirectory directory;
  const WallTime now(std::chrono::seconds(1'800'000'000));
  const Revocation day{
      .username = "bob", .account = "", .label = "", .until = now + std::chrono::hours(24)};
  const Revocation hour{
      .username = "", .account = "acme", .label = "web", .until = now + std::chrono::hours(1)};
  std::string error;
  {
    RevocationFile file;
    CHECK(file.Load(directory.path(), now)->empty());
    file.Add(day, now, &error);
    CHECK(file.Add(hour, now, &error).size() == 2);
    CHECK(error.empty());
  }
  CHECK(*RevocationFile().Load(directory.path(), now) == std::vector{day, hour});
  const WallTime later = now + std::chrono::hours(2);
  CHECK(*RevocationFile().Load(directory.path(), later) == std::vector{day});

  std::ofstream(directory.file("revoked.json")) << "[{\"username\": 3}]";
  CHECK(RevocationFile().Load(directory.path(), now).error().find("is damaged") !=
        std::string::npos);
  RevocationFile nowhere;
  CHECK(nowhere.Load(directory.path() + "/no/such", now)->empty());
  CHECK(nowhere.Add(day, now, &error).size() == 1);
  CHECK(error.find("cannot be written") != std::string::npos);
}

}  // namespace turnpike
