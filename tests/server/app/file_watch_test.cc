#include "server/file_watch.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_directory.h"

namespace turnpike {

TEST_CASE("a change is told once, when it has come to rest") {
  const TempDirectory directory;
  const std::string cert = directory.path() + "/cert";
  const std::string key = directory.path() + "/key";
  std::ofstream(cert) << "1";
  FileWatch watch;
  watch.Watch({cert, key, ""});
  CHECK_FALSE(watch.HasSettled());

  std::ofstream(cert) << "new";
  CHECK_FALSE(watch.HasSettled());  // the key may follow
  std::ofstream(key) << "2";        // a file that was not there
  CHECK_FALSE(watch.HasSettled());
  CHECK(watch.HasSettled());
  CHECK_FALSE(watch.HasSettled());

  // Replaced, as tools that renew certificates do.
  std::ofstream(key + ".new") << "3";
  std::filesystem::rename(key + ".new", key);
  CHECK_FALSE(watch.HasSettled());
  CHECK(watch.HasSettled());
  std::filesystem::remove(cert);
  CHECK_FALSE(watch.HasSettled());
  CHECK(watch.HasSettled());
}

}  // namespace turnpike
