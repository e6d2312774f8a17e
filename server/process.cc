#include "server/process.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <fstream>
#include <initializer_list>

#include "server/sanitized.h"

namespace turnpike {
namespace {

sigset_t HandledSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

}  // namespace

uint64_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
  return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

std::optional<uint64_t> ReceiveBufferLimit() {
  std::ifstream file("/proc/sys/net/core/rmem_max");
  uint64_t bytes = 0;
  return file >> bytes ? std::optional(bytes) : std::nullopt;
}

void DisableCoreDumps() {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_CORE, &none);
  if (!kSanitized) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void NameThread(const char* name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

bool PinThread(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  return sched_setaffinity(0, sizeof(set), &set) == 0;
}

void BlockSignals() {
  signal(SIGPIPE, SIG_IGN);
  const sigset_t set = HandledSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

std::optional<int> NextSignal(Duration patience) {
  const sigset_t set = HandledSignals();
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(patience).count();
  const timespec limit{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  const int signal = sigtimedwait(&set, nullptr, &limit);
  return signal < 0 ? std::nullopt : std::optional<int>(signal);
}

}  // namespace turnpike
