// What an account relayed in one 15-minute bucket: the row that bills, caps and reports add up.
#pragma once

#include <string>

#include "common/metering/usage.h"

namespace turnpike {

// UsageRow is what one account relayed in one bucket, region, transport and label.
struct UsageRow {
  BucketIndex bucket;
  std::string region;
  std::string transport;
  std::string label;
  UsageTotals totals;
};

// AccountUsage is a UsageRow with its account.
struct AccountUsage {
  std::string account;
  UsageRow row;
};

}  // namespace turnpike
