// An empty directory that disappears with the object.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "common/base/check.h"

namespace turnpike {

// TempDirectory lies in memory where there is such a place: the tests that use it sync thousands of
// times.
class TempDirectory {
 public:
  TempDirectory() {
    std::error_code none;
    const bool has_shm = std::filesystem::is_directory("/dev/shm", none);
    const auto parent = has_shm ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string pattern = (parent / "turnpike-test-XXXXXX").string();
    TP_CHECK(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace turnpike
