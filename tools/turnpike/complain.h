// How every command says what went wrong.
#pragma once

#include <fmt/format.h>

#include <iostream>
#include <string_view>

#include "common/base/log.h"

namespace turnpike {

// Complain writes `error` to standard error, in the name of `command` (that of turnpike alone
// without one), and returns the exit status for it. What is not printable is escaped: a server or a
// file may have brought it.
inline int Complain(std::string_view error, std::string_view command = {}) {
  std::cerr << fmt::format("turnpike{}{}: {}\n", command.empty() ? "" : " ", command,
                           EscapeText(error));
  return 1;
}

}  // namespace turnpike
