#include "server/syscall_filter.h"

#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string_view>

#include "server/sanitized.h"

namespace turnpike {
namespace {

// Calls that end the process. Names that the library does not know yet are left out.
constexpr std::string_view kFatal[] = {
    // Other programs, and other processes' memory.
    "execve",
    "execveat",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
    "kcmp",
    // Another view of the file system, or none of its checks.
    "mount",
    "umount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsmount",
    "fsconfig",
    "fspick",
    "mount_setattr",
    "open_by_handle_at",
    "quotactl",
    "quotactl_fd",
    "fanotify_init",
    "uselib",
    "swapon",
    "swapoff",
    // Namespaces.
    "setns",
    "unshare",
    // The kernel: its code, its keys, its log, its clocks and its name.
    "bpf",
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "acct",
    "syslog",
    "add_key",
    "keyctl",
    "request_key",
    "clock_settime",
    "settimeofday",
    "stime",
    "sethostname",
    "setdomainname",
    "vhangup",
    "nfsservctl",
    "lookup_dcookie",
    // The machine.
    "iopl",
    "ioperm",
    "modify_ldt",
    "vm86",
    "vm86old",
    // Tools of exploits, and their old friends.
    "userfaultfd",
    "perf_event_open",
};

// Calls that fail with EPERM.
constexpr std::string_view kRefused[] = {
    "fork",     "vfork",    "personality", "adjtimex",  "clock_adjtime", "setuid",   "setgid",
    "setreuid", "setregid", "setresuid",   "setresgid", "setgroups",     "setfsuid", "setfsgid",
};

// What a leak check does when the process ends.
constexpr std::string_view kOfSanitizers[] = {"ptrace", "execve", "fork", "vfork", "personality"};

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

int Deny(scmp_filter_ctx filter, uint32_t action, std::string_view name) {
  if (kSanitized) {
    for (const std::string_view each : kOfSanitizers) {
      if (each == name) return 0;
    }
  }
  const int number = seccomp_syscall_resolve_name(std::string(name).c_str());
  if (number == __NR_SCMP_ERROR) return 0;
  // Not _exact: on an architecture without the call there is nothing to deny.
  return seccomp_rule_add(filter, action, number, 0);
}

// Argument is what libseccomp's SCMP_A0 and the like make, with no field left out.
scmp_arg_cmp Argument(unsigned index, scmp_compare compare, scmp_datum_t a, scmp_datum_t b = 0) {
  return {.arg = index, .op = compare, .datum_a = a, .datum_b = b};
}

// DenySockets leaves the families of the Internet, of the word to systemd and of the list of
// interfaces. EAFNOSUPPORT is what a kernel without a family says.
int DenySockets(scmp_filter_ctx filter) {
  const uint32_t action = SCMP_ACT_ERRNO(EAFNOSUPPORT);
  // The families in use are 1 (unix), 2 (inet), 10 (inet6) and 16 (netlink): rules for one call are
  // alternatives, so each gap in between is one or some rules.
  static_assert(AF_UNIX == 1 && AF_INET == 2 && AF_INET6 == 10 && AF_NETLINK == 16);
  int failed = seccomp_rule_add(filter, action, SCMP_SYS(socket), 1, Argument(0, SCMP_CMP_EQ, 0));
  for (scmp_datum_t family = AF_INET + 1; family < AF_NETLINK; ++family) {
    if (family == AF_INET6 || failed != 0) continue;
    failed =
        seccomp_rule_add(filter, action, SCMP_SYS(socket), 1, Argument(0, SCMP_CMP_EQ, family));
  }
  if (failed != 0) return failed;
  return seccomp_rule_add(filter, action, SCMP_SYS(socket), 1,
                          Argument(0, SCMP_CMP_GT, AF_NETLINK));
}

// DenyNewCode keeps data from becoming code: what is mapped executable was so before.
int DenyNewCode(scmp_filter_ctx filter) {
  if (kSanitized) return 0;
  const uint32_t action = SCMP_ACT_ERRNO(EPERM);
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(pkey_mprotect)}) {
    const int failed = seccomp_rule_add(filter, action, call, 1,
                                        Argument(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
    if (failed != 0) return failed;
  }
  return 0;
}

int DenyNewProcesses(scmp_filter_ctx filter) {
  // Its flags lie in memory, out of a filter's sight; glibc then takes clone.
  if (const int failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
      failed != 0) {
    return failed;
  }
  if (kSanitized) return 0;  // a leak check is a process of its own
  return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                          Argument(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
}

int AddRules(scmp_filter_ctx filter) {
  for (const std::string_view name : kFatal) {
    if (const int failed = Deny(filter, SCMP_ACT_KILL_PROCESS, name); failed != 0) return failed;
  }
  for (const std::string_view name : kRefused) {
    if (const int failed = Deny(filter, SCMP_ACT_ERRNO(EPERM), name); failed != 0) return failed;
  }
  // Newer libuv asks whether there is io_uring, and does without.
  for (const char* name : {"io_uring_setup", "io_uring_enter", "io_uring_register"}) {
    if (const int failed = Deny(filter, SCMP_ACT_ERRNO(ENOSYS), name); failed != 0) return failed;
  }
  // Typing into the terminal that a server may have been started from. The kernel looks at 32 bits.
  for (const auto request : {scmp_datum_t{TIOCSTI}, scmp_datum_t{TIOCLINUX}}) {
    const int failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                                        Argument(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, request));
    if (failed != 0) return failed;
  }
  for (const auto add : {DenySockets, DenyNewCode, DenyNewProcesses}) {
    if (const int failed = add(filter); failed != 0) return failed;
  }
  return 0;
}

}  // namespace

std::expected<void, std::string> FilterSystemCalls() {
  const auto refused = [](const char* call, int error) {
    return std::unexpected(std::string(call) + ": " + std::strerror(-error));
  };
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
  if (filter == nullptr) return refused("seccomp_init", -ENOMEM);
  // The kernel would otherwise slow the whole process down against leaks of speculation, which
  // concern those who run strangers' code.
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_SSB, 1);
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  // Calls of another architecture would pass by the rules.
  seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  if (const int failed = AddRules(filter.get()); failed != 0) {
    return refused("seccomp_rule_add", failed);
  }
  if (const int failed = seccomp_load(filter.get()); failed != 0) {
    return refused("seccomp", failed);
  }
  return {};
}

}  // namespace turnpike
