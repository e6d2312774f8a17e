#include "common/metering/set_aside.h"

#include <filesystem>
#include <system_error>

#include "common/base/log.h"

namespace turnpike {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSuffix = ".damaged-";

}  // namespace

std::expected<void, std::string> SetAside(const std::string& path, const std::string& why) {
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
  Log(LogLevel::kError, "ledger_set_aside",
      {{"error", why},
       {"kept_as", aside},
       {"remedy", "salvage it and merge the two; the runbook says how"}});
  return {};
}

uint64_t LedgersSetAside(const std::string& path) {
  const std::string prefix = fs::path(path).filename().string() + kSuffix;
  uint64_t count = 0;
  std::error_code error;
  fs::directory_iterator entry(fs::path(path).parent_path(), error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(prefix) && !name.ends_with("-wal") && !name.ends_with("-shm")) ++count;
  }
  return count;
}

}  // namespace turnpike
