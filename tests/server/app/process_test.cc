#include "server/process.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>

namespace turnpike {

TEST_CASE("signals wait until they are fetched, one by one; a broken pipe is no signal") {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  BlockSignals();
  raise(SIGPIPE);
  raise(SIGTERM);
  raise(SIGTERM);
  CHECK(NextSignal(std::chrono::seconds(10)) == SIGTERM);
  raise(SIGHUP);
  CHECK(NextSignal(std::chrono::seconds(10)) == SIGHUP);
  CHECK(NextSignal(Duration::zero()) == std::nullopt);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("the soft limit on descriptors becomes the hard one") {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  CHECK(RaiseDescriptorLimit() == limit.rlim_max);
  rlimit after{};
  getrlimit(RLIMIT_NOFILE, &after);
  CHECK(after.rlim_cur == after.rlim_max);
}

TEST_CASE("no core dump is written") {
  DisableCoreDumps();
  rlimit limit{.rlim_cur = 1, .rlim_max = 1};
  getrlimit(RLIMIT_CORE, &limit);
  CHECK(limit.rlim_cur == 0);
}

}  // namespace turnpike
