// Each case hardens a child process and lets it try to get out. What the kernel lacks is not tried.
#include "server/hardening.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "server/capabilities.h"
#include "server/landlock.h"
#include "server/sanitized.h"
#include "server/syscall_filter.h"
#include "tests/support/temp_directory.h"

namespace turnpike {
namespace {

// In a child, 0 means that all went as it should; another number is where it did not.
constexpr int kFine = 0;

// StatusOf runs `body` in a process of its own and returns its exit status, or minus the signal
// that ended it.
int StatusOf(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    _exit(body());
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool HasLandlock() {
  return syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

int OpenError(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  close(fd);
  return 0;
}

// StatusAfter filters system calls and then makes `call`: 0 if it succeeded, else its errno.
int StatusAfter(const std::function<int()>& call) {
  return StatusOf([&] {
    if (!FilterSystemCalls()) return 255;
    return call() < 0 ? errno : 0;
  });
}

}  // namespace

TEST_CASE("Landlock: only the state is writable, only what is named is readable, nothing runs") {
  if (!HasLandlock()) return;
  const TempDirectory state;
  const TempDirectory readable;
  const TempDirectory outside;
  for (const TempDirectory* each : {&readable, &outside}) {
    std::ofstream(each->path() + "/file") << "x";
  }
  const int status = StatusOf([&] {
    const int inherited = open((outside.path() + "/file").c_str(), O_RDONLY | O_CLOEXEC);
    const auto abi = RestrictFiles(
        {.readable = {readable.path(), "/nonexistent/is/no/failure"}, .writable = {state.path()}});
    if (!abi) return 1;
    if (OpenError(state.path() + "/new", O_RDWR | O_CREAT) != 0) return 2;
    if (rename((state.path() + "/new").c_str(), (state.path() + "/renamed").c_str()) != 0) return 3;
    if (unlink((state.path() + "/renamed").c_str()) != 0) return 4;
    if (OpenError(readable.path() + "/file", O_RDONLY) != 0) return 5;
    if (OpenError(readable.path() + "/file", O_WRONLY) != EACCES) return 6;
    if (OpenError(readable.path() + "/new", O_RDWR | O_CREAT) != EACCES) return 7;
    if (OpenError(outside.path() + "/file", O_RDONLY) != EACCES) return 8;
    if (OpenError("/etc/passwd", O_RDONLY) != EACCES) return 9;
    if (OpenError(state.path(), O_RDONLY | O_DIRECTORY) != 0) return 10;
    char byte = 0;
    if (read(inherited, &byte, 1) != 1) return 11;
    char program[] = "/bin/true";
    char* arguments[] = {program, nullptr};
    execv(program, arguments);
    if (errno != EACCES) return 12;
    int from_thread = 0;
    std::thread([&] { from_thread = OpenError("/etc/passwd", O_RDONLY); }).join();
    return from_thread == EACCES ? kFine : 13;
  });
  CHECK(status == kFine);
}

TEST_CASE("Landlock: a certificate renewed by rename, and one behind links, is read again") {
  if (!HasLandlock()) return;
  namespace fs = std::filesystem;
  const TempDirectory live;
  const TempDirectory archive;
  std::ofstream(live.path() + "/plain.pem") << "1";
  std::ofstream(archive.path() + "/cert1.pem") << "1";
  fs::create_symlink(archive.path() + "/cert1.pem", live.path() + "/linked.pem");
  const auto places = ReadablePlaces({live.path() + "/plain.pem", live.path() + "/linked.pem"});
  CHECK(std::ranges::count(places, fs::canonical(archive.path()).string()) == 1);
  const int status = StatusOf([&] {
    // Before: who renews is not restricted. A child of a child would do, were it not restricted.
    int ready[2];
    if (pipe(ready) != 0) return 1;
    const pid_t renewal = fork();
    if (renewal == 0) {
      char go = 0;
      if (read(ready[0], &go, 1) != 1) _exit(1);
      std::ofstream(archive.path() + "/cert2.pem") << "2";
      std::ofstream(live.path() + "/fresh.pem") << "2";
      fs::rename(live.path() + "/fresh.pem", live.path() + "/plain.pem");
      fs::remove(live.path() + "/linked.pem");
      fs::create_symlink(archive.path() + "/cert2.pem", live.path() + "/linked.pem");
      _exit(0);
    }
    if (!RestrictFiles({.readable = places, .writable = {}})) return 2;
    int renewed = 1;
    if (write(ready[1], "x", 1) != 1 || waitpid(renewal, &renewed, 0) != renewal || renewed != 0) {
      return 3;
    }
    for (const char* name : {"/plain.pem", "/linked.pem"}) {
      char content = 0;
      if (!std::ifstream(live.path() + name).get(content) || content != '2') return 4;
    }
    return kFine;
  });
  CHECK(status == kFine);
}

TEST_CASE("a file at the root of the file system does not open the whole of it") {
  CHECK(ReadablePlaces({"/nonexistent.yaml"}) == std::vector<std::string>{"/nonexistent.yaml"});
}

TEST_CASE("seccomp: running a program and looking into others end the process") {
  if (kSanitized) return;  // a sanitizer may do both
  const auto run = [] {
    char program[] = "/bin/true";
    char* arguments[] = {program, nullptr};
    return execv(program, arguments);
  };
  CHECK(StatusAfter(run) == -SIGSYS);
  CHECK(StatusAfter([] { return static_cast<int>(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }) ==
        -SIGSYS);
}

TEST_CASE("seccomp: namespaces, mounts and keys end the process") {
  CHECK(StatusAfter([] { return unshare(CLONE_NEWUSER); }) == -SIGSYS);
  CHECK(StatusAfter([] { return static_cast<int>(syscall(SYS_mount, "", "/", "", 0, "")); }) ==
        -SIGSYS);
  CHECK(StatusAfter([] { return static_cast<int>(syscall(SYS_keyctl, 0, 0, 0, 0, 0)); }) ==
        -SIGSYS);
}

TEST_CASE("seccomp: other processes, code from data and strange sockets are refused") {
  constexpr int kStrange[] = {AF_PACKET, AF_ALG, AF_VSOCK, AF_AX25};
  for (const int family : kStrange) {
    CHECK(StatusAfter([&] { return socket(family, SOCK_DGRAM, 0); }) == EAFNOSUPPORT);
  }
  CHECK(StatusAfter([] { return setuid(1); }) == EPERM);
  if (kSanitized) return;
  CHECK(StatusAfter([] { return fork(); }) == EPERM);
  CHECK(StatusAfter([] {
          void* const code = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          return code == MAP_FAILED ? -1 : 0;
        }) == EPERM);
}

TEST_CASE("seccomp: what a server lives on goes on, in threads that ran before as well") {
  const int status = StatusOf([] {
    std::atomic<int> stage = 0;
    std::atomic<int> forked = 0;
    std::thread before([&] {
      stage.wait(0);
      forked = socket(AF_PACKET, SOCK_DGRAM, 0) < 0 ? errno : 0;
    });
    if (!FilterSystemCalls()) return 1;
    stage = 1;
    stage.notify_all();
    before.join();
    if (forked != EAFNOSUPPORT) return 2;
    for (const int family : {AF_INET, AF_INET6, AF_UNIX}) {
      const int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      if (fd < 0 && errno != EAFNOSUPPORT) return 3;
      close(fd);
    }
    if (socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0) < 0) return 4;
    void* const data =
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return 5;
    int ran = 0;
    std::thread([&] { ran = 1; }).join();
    return ran == 1 ? kFine : 6;
  });
  CHECK(status == kFine);
}

TEST_CASE("capabilities: none is left, or only that for low ports, and none comes back") {
  if (geteuid() != 0) return;
  const TempDirectory state;
  const auto left = [&](bool low_ports) {
    return StatusOf([&, low_ports] {
      const auto names = DropCapabilities(low_ports);
      if (!names) return 1;
      if (*names != (low_ports ? "CAP_NET_BIND_SERVICE" : "none")) return 2;
      if (*DropCapabilities(false) != "none") return 3;  // a second time is no failure
      if (chown(state.path().c_str(), 65534, 65534) != -1 || errno != EPERM) return 4;
      return prctl(PR_CAPBSET_READ, 0, 0, 0, 0) == 0 ? kFine : 5;
    });
  };
  CHECK(left(false) == kFine);
  CHECK(left(true) == kFine);
}

TEST_CASE("a state directory that only root's privileges make writable is found at the start") {
  if (geteuid() != 0) return;
  const TempDirectory state;
  std::filesystem::permissions(state.path(), std::filesystem::perms::owner_read);
  REQUIRE(chown(state.path().c_str(), 65534, 65534) == 0);
  config::Config config;
  config.metering.directory = state.path();
  const int status = StatusOf([&] {
    const auto hardened = Harden(config, "/nonexistent/turnpike.yaml");
    return hardened || !hardened.error().contains("is not writable without root's privileges");
  });
  CHECK(status == kFine);
}

}  // namespace turnpike
