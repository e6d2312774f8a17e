// Landlock (landlock(7)): the process may open no file but those beneath the paths named here.
#pragma once

#include <expected>
#include <string>
#include <vector>

namespace turnpike {

// ReachableFiles names files and directories, the latter with all that is in them. Paths that do
// not exist are left out.
struct ReachableFiles {
  std::vector<std::string> readable;
  std::vector<std::string> writable;  // and readable; files in them may be made and removed
};

// RestrictFiles applies to the calling thread and to those it starts afterwards, for good. Files
// that are open stay usable, and nothing can be executed any more. Needs no_new_privs, no root.
// Returns the kernel's Landlock ABI; fails with a few words, and then restricts nothing, when the
// kernel has none or refuses.
std::expected<int, std::string> RestrictFiles(const ReachableFiles& files);

}  // namespace turnpike
