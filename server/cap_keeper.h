// Holds accounts to their caps: what the ledger thread does about them after each checkpoint.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/metering/caps.h"
#include "common/metering/ledger_status.h"
#include "common/metering/slots.h"
#include "common/metering/usage_row.h"

namespace turnpike {

// CapOutcome is what the rest of the server is told. Both are called on the ledger thread.
struct CapOutcome {
  std::function<void(std::vector<CappedUse>)> refuse;      // all that get 486 from now on
  std::function<void(const std::vector<SessionId>&)> end;  // sessions to end with `quota`
};

// CapKeeper belongs to the thread that writes checkpoints.
class CapKeeper {
 public:
  // `slots` is not owned; it says which sessions live.
  CapKeeper(std::vector<Cap> caps, std::optional<RateTable> rates, const SlotFile& slots,
            CapOutcome outcome);

  // Add counts usage that a commit holds: first all of the month so far, then what each checkpoint
  // added. Judge acts on it, and returns how far each cap is used for metrics. Forget takes back
  // all that was added, before it is read anew.
  void Add(const AccountUsage& usage) { book_.Add(usage.account, usage.row); }
  void Forget() { book_.Forget(); }
  std::vector<CapLevel> Judge(WallTime now);

 private:
  void LogNews(const CapJudgement& judgement);
  std::vector<SessionId> LiveSessionsOf(const std::vector<CappedUse>& ended) const;

  CapBook book_;
  const SlotFile& slots_;
  CapOutcome outcome_;
  std::vector<std::string> errors_;  // logged already
};

}  // namespace turnpike
