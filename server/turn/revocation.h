// Whom an operator has shut out.
#pragma once

#include <string>
#include <string_view>

#include "common/base/time.h"

namespace turnpike {

// Revocation refuses new allocations to whom it fits, until `until`. An empty field fits all;
// username or account is set.
struct Revocation {
  std::string username;
  std::string account;
  std::string label;  // of the account; empty: all of them
  WallTime until{};

  friend bool operator==(const Revocation&, const Revocation&) = default;

  // Fits says whether it concerns that principal.
  bool Fits(std::string_view user, std::string_view payer, std::string_view use) const {
    return (username.empty() || username == user) && (account.empty() || account == payer) &&
           (label.empty() || label == use);
  }
};

}  // namespace turnpike
