#include "server/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "common/base/unique_fd.h"

namespace turnpike {
namespace {

// Debian 12's header ends with ABI 2; these are of linux/landlock.h of Linux 6.12.
constexpr uint64_t kTruncate = uint64_t{1} << 14;     // ABI 3
constexpr uint64_t kIoctlDevice = uint64_t{1} << 15;  // ABI 5
constexpr uint64_t kScopeSignal = uint64_t{1} << 1;   // ABI 6

// RulesetAttributes is struct landlock_ruleset_attr of ABI 6; older kernels take its beginning.
struct RulesetAttributes {
  uint64_t files = 0;
  uint64_t network = 0;
  uint64_t scoped = 0;
};

constexpr uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kWrite = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                            LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REFER | kTruncate;
// What a rule for a file, not a directory, may hold.
constexpr uint64_t kOfFiles =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;

// HandledBy returns all rights that a kernel of that ABI knows: what is handled and granted by no
// rule is denied.
uint64_t HandledBy(int abi) {
  uint64_t handled = (uint64_t{LANDLOCK_ACCESS_FS_MAKE_SYM} << 1) - 1;
  if (abi >= 2) handled |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) handled |= kTruncate;
  if (abi >= 5) handled |= kIoctlDevice;
  return handled;
}

std::string Refused(const char* call) { return std::string(call) + ": " + std::strerror(errno); }

// Grant adds a rule; a path that is not there needs none.
std::expected<void, std::string> Grant(int ruleset, const std::string& path, uint64_t rights) {
  const UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat status{};
  if (!fd.valid() || fstat(fd.get(), &status) != 0) return {};
  if (!S_ISDIR(status.st_mode)) rights &= kOfFiles;
  const landlock_path_beneath_attr rule{.allowed_access = rights, .parent_fd = fd.get()};
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    return std::unexpected(Refused("landlock_add_rule") + " for " + path);
  }
  return {};
}

}  // namespace

std::expected<int, std::string> RestrictFiles(const ReachableFiles& files) {
  const auto abi = static_cast<int>(
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
  if (abi < 1) return std::unexpected(Refused("landlock_create_ruleset"));
  RulesetAttributes attributes{.files = HandledBy(abi)};
  if (abi >= 6) attributes.scoped = kScopeSignal;
  const size_t size = abi >= 6   ? sizeof(attributes)
                      : abi >= 4 ? sizeof(uint64_t) * 2
                                 : sizeof(uint64_t);
  const UniqueFd ruleset(
      static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
  if (!ruleset.valid()) return std::unexpected(Refused("landlock_create_ruleset"));
  for (const std::string& path : files.readable) {
    if (auto ok = Grant(ruleset.get(), path, kRead); !ok) return std::unexpected(ok.error());
  }
  for (const std::string& path : files.writable) {
    const uint64_t rights = (kRead | kWrite) & attributes.files;
    if (auto ok = Grant(ruleset.get(), path, rights); !ok) return std::unexpected(ok.error());
  }
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return std::unexpected(Refused("landlock_restrict_self"));
  }
  return abi;
}

}  // namespace turnpike
