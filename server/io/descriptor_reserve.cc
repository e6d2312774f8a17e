#include "server/io/descriptor_reserve.h"

#include <sys/resource.h>

namespace turnpike {
namespace {

// The ledger opens three files, a reload two at a time, a request to the admin address one.
constexpr rlim_t kReserve = 32;

}  // namespace

bool IsReserved(int fd) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= 2 * kReserve) return false;
  return static_cast<rlim_t>(fd) >= limit.rlim_cur - kReserve;
}

}  // namespace turnpike
