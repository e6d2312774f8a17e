#include "common/metering/set_aside.h"

#include <filesystem>
#include <system_error>

#include "common/base/log.h"

namespace turnpike {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSuffix = ".damaged-";

}  // namespace

std::expected<void, std::string> SetAside(const std::string& path, const std::string& why,
                                          std::string_view event, std::string_view remedy) {
  std::error_code error;
  std::string aside;
  for (int number = 1; aside.empty() || fs::exists(aside, error); ++number) {
    aside = path + kSuffix + std::to_string(number);
  }
  // The index of the WAL is made anew for whoever opens it. The WAL goes first: were the process
  // interrupted, a new ledger must not find it.
  fs::remove(path + "-shm", error);
  fs::rename(path + "-wal", aside + "-wal", error);
  fs::rename(path, aside, error);
  if (error) {
    return std::unexpected(path + " is damaged and cannot be renamed to " + aside + ": " +
                           error.message());
  }
  Log(LogLevel::kError, event, {{"error", why}, {"kept_as", aside}, {"remedy", remedy}});
  return {};
}

uint64_t FilesSetAside(const std::string& directory) {
  uint64_t count = 0;
  std::error_code error;
  fs::directory_iterator entry(directory, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.contains(kSuffix) && !name.ends_with("-wal") && !name.ends_with("-shm")) ++count;
  }
  return count;
}

}  // namespace turnpike
