// How accounts are named in the label of a metric: by the server that shows it, and by who reads
// it.
#pragma once

#include <string>
#include <string_view>

#include "common/base/log.h"

namespace turnpike {

// kOtherAccounts stands for all accounts beyond the cap on series.
inline constexpr std::string_view kOtherAccounts = "_other";

// AccountLabel is the text that stands for `account` in a label. Different accounts get different
// texts, and none gets `_other`.
inline std::string AccountLabel(std::string_view account) {
  // EscapeText keeps different accounts apart. An account that is really called `_other` becomes a
  // text that no other account can have: EscapeText never writes \x5F, since `_` is printable, and
  // writes a backslash of the account's own as \x5C.
  if (account == kOtherAccounts) return "\\x5Fother";
  return EscapeText(account);
}

}  // namespace turnpike
