// The version of this source tree, as programs print it. `CHANGELOG.md` tells what is in it.
#pragma once

namespace turnpike {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace turnpike
