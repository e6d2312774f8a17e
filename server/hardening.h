// What the server denies itself once its ports are open (`hardening` in the configuration).
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "config/config.h"

namespace turnpike {

// Harden gives up capabilities and the way to new ones, then files (Landlock) and system calls
// (seccomp), as far as the configuration wants it and the kernel has it, and logs what is in force.
// Call it when every port is open and before a thread starts: it concerns the calling thread and
// those it starts, for good. It fails with a sentence when the server could not go on like that:
// its directory is not writable without root's privileges.
std::expected<void, std::string> Harden(const config::Config& config,
                                        const std::string& config_path);

// ReadablePlaces returns what must stay readable for `files` to be read again: the directory of
// each, and that of what it links to, since renewed files come by rename; for a file in `/` that
// file alone.
std::vector<std::string> ReadablePlaces(const std::vector<std::string>& files);

}  // namespace turnpike
