// How fast sessions relay: totals at two moments make a rate.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "common/base/time.h"
#include "server/ops/admin_actions.h"

namespace turnpike {

// SessionRates remembers the last two readings. One thread at a time.
class SessionRates {
 public:
  // IsFresh says whether a reading at `now` gets rates: the one before it is neither too near nor
  // too old to tell of the last moments.
  bool IsFresh(MonoTime now) const;

  // Fill sets the rates of `sessions`, read at `now`, and remembers them.
  void Fill(std::vector<LiveSession>& sessions, MonoTime now);

 private:
  struct Reading {
    MonoTime at;
    std::map<SessionId, UsageTotals> totals;
  };
  const Reading* Before(MonoTime now) const;

  std::optional<Reading> older_;
  std::optional<Reading> newer_;
};

}  // namespace turnpike
