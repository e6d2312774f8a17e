// The capabilities of the process (capabilities(7)).
#pragma once

#include <expected>
#include <string>

namespace turnpike {

// DropCapabilities gives up, for good, every capability that the calling thread and those it starts
// have or could get, but CAP_NET_BIND_SERVICE if `keep_low_ports` and it is there. It returns the
// names of those that are left, or `none`. It fails with a few words when capabilities are left
// that the kernel does not let go.
std::expected<std::string, std::string> DropCapabilities(bool keep_low_ports);

}  // namespace turnpike
