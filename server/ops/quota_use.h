// How much of a limit is in use, as metrics and the API show it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace turnpike {

// QuotaUse is one limit. Where it is for each user, account, address or session by itself, it is
// that of the one who has most.
struct QuotaUse {
  std::string_view quota;  // `ports`, `slots`, or the last part of a key of `limits`
  std::string_view unit;   // `bit/s`, `packets/s`, or empty for a count
  uint64_t used = 0;
  uint64_t limit = 0;    // never 0: what is not limited is not shown
  std::string who = {};  // who has most, where that is known

  // millionths is the part in use, rounded down.
  uint64_t millionths() const { return used * 1'000'000 / limit; }
};

}  // namespace turnpike
