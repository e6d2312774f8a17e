// Adds usage up per cap, and says what follows.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "common/metering/cap.h"
#include "common/metering/rate_card.h"
#include "common/metering/rating.h"
#include "common/metering/usage_row.h"

namespace turnpike {

// CapUse is how far a cap is used for one account.
struct CapUse {
  size_t cap = 0;  // its place in the list
  std::string account;
  uint64_t permille = 0;  // of the cap, rounded down
};

// CapCrossing is a percentage of `warn_at` that was reached since the last judgement.
struct CapCrossing {
  CapUse use;
  uint32_t percent = 0;
};

// CapJudgement is what follows from the usage so far.
struct CapJudgement {
  std::vector<CapUse> uses;            // of every cap and account with usage in its period
  std::vector<CapCrossing> crossings;  // to be logged
  std::vector<CappedUse> refused;      // sorted
  std::vector<CappedUse> ended;        // sorted; a part of `refused`
  std::vector<std::string> errors;     // accounts whose usage has no price, with the reason
};

// CapBook adds usage up per cap. Not thread-safe: the ledger thread owns it.
class CapBook {
 public:
  // `rates` is needed where a cap is in money.
  CapBook(std::vector<Cap> caps, std::optional<RateTable> rates);

  // Add counts what `account` relayed: what the ledger held at the start, and then what each
  // checkpoint added. Accounts without a cap cost nothing.
  void Add(const std::string& account, const UsageRow& row);

  // Forget takes back all usage that was added; what was logged stays known.
  void Forget() { months_.clear(); }

  // Judge says what holds at `now`, and forgets months that are over.
  CapJudgement Judge(WallTime now);

  const std::vector<Cap>& caps() const { return caps_; }

 private:
  // One account's usage in one month. Money needs rows; a day's are kept as one, at the day's start
  // or at that of the card that priced them: which of a day's bytes were free may then differ from
  // the invoice's order, never how many.
  struct Month {
    std::map<std::pair<std::string, uint32_t>, uint64_t> bytes;  // by label and day
    std::map<std::tuple<BucketIndex, std::string, std::string, std::string>, UsageTotals> rows;
  };
  // What has been logged: cap, account, period's first day → the highest percentage.
  using Logged = std::map<std::tuple<size_t, std::string, uint32_t>, uint32_t>;

  bool Concerns(const Cap& cap, const std::string& account) const;
  BucketIndex RowBucket(BucketIndex bucket) const;
  uint64_t UsedBytes(const Cap& cap, const Month& month, uint32_t today) const;
  std::map<const Cap*, Amount> UsedMoney(const std::string& account, const Month& month,
                                         WallTime now, CapJudgement& judgement) const;
  void JudgeAccount(const std::string& account, const Month& month, WallTime now,
                    CapJudgement& judgement);
  void Note(size_t cap, const std::string& account, uint64_t permille, uint32_t since,
            CapJudgement& judgement);

  std::vector<Cap> caps_;
  std::optional<RateTable> rates_;
  bool in_money_ = false;
  std::map<std::pair<WallTime, std::string>, Month> months_;  // by the month's start and account
  Logged logged_;
};

}  // namespace turnpike
