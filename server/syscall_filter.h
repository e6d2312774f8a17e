// A seccomp filter (seccomp(2)) against system calls that a relay never needs.
#pragma once

#include <expected>
#include <string>

namespace turnpike {

// FilterSystemCalls applies to every thread of the process, for good. Needs no_new_privs, no root.
// It fails with a few words, and then filters nothing, when the kernel has no seccomp or refuses.
//
// It is a list of what is denied, not of what is allowed. A list of what is allowed breaks, in the
// middle of calls, whenever glibc or a library under the server learns a new system call; and what
// a relay needs anyhow (sockets, files, threads, memory) is most of what an intruder would want.
// What is denied is the way from a hole in this process to the rest of the host. Two answers:
//  - the process ends at calls that no library here makes for any reason: whoever makes one is an
//    intruder. Its books survive, as after any crash, and systemd starts it again.
//  - the call fails where libraries try and manage without.
// The kernel remembers per system call that a filter always allows it, so the data path does not
// run through it (Linux 5.11).
std::expected<void, std::string> FilterSystemCalls();

}  // namespace turnpike
