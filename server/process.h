// What the server asks of its process: limits and signals.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/time.h"

namespace turnpike {

// RaiseDescriptorLimit raises the soft limit on open files to the hard one (each relayed address is
// a descriptor) and returns it.
uint64_t RaiseDescriptorLimit();

// ReceiveBufferLimit returns the largest receive buffer that the kernel gives a socket, in bytes
// (net.core.rmem_max); nullopt where it does not tell, as in a container.
std::optional<uint64_t> ReceiveBufferLimit();

// DisableCoreDumps keeps keys and payload of a crashed server off the disk, also where a program
// collects core files. Nobody but root can then trace the process or see all of its /proc
// directory. With a sanitizer, which traces the process for leaks, only files are prevented.
void DisableCoreDumps();

// NameThread gives the calling thread a name for `top -H` and /proc, of 15 bytes at most.
void NameThread(const char* name);

// PinThread keeps the calling thread on one CPU. False: the kernel would not.
bool PinThread(int cpu);

// BlockSignals ignores SIGPIPE and blocks SIGTERM, SIGINT and SIGHUP in this thread and those it
// starts: NextSignal then fetches them one by one. Call it before any thread starts. A second
// SIGTERM while the server stops therefore waits, and cannot cost the last checkpoint.
void BlockSignals();

// NextSignal waits for one of the blocked signals, `patience` at most; nullopt: none came.
std::optional<int> NextSignal(Duration patience);

}  // namespace turnpike
