// Usage triggers by API.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/accounts/trigger_store.h"
#include "common/metering/money.h"
#include "server/api/routes.h"
#include "server/api/usage_sums.h"

namespace turnpike {

// CreateTrigger answers POST /2010-04-01/Accounts/{AccountSid}/Usage/Triggers.json, ListTriggers
// GET on it, FetchTrigger and RemoveTrigger GET and DELETE on …/Triggers/{Sid}.json.
HttpAnswer CreateTrigger(ApiService& service, const ApiCall& call);
HttpAnswer ListTriggers(ApiService& service, const ApiCall& call);
HttpAnswer FetchTrigger(ApiService& service, const ApiCall& call);
HttpAnswer RemoveTrigger(ApiService& service, const ApiCall& call);

// TriggerState is where a trigger stands at some time.
struct TriggerState {
  std::string period;  // what it fires once for: 2026-11-27, 2026-11, 2026 or `all`
  Amount current;      // MB, or money
  std::string text;    // the same, written out
  bool reached = false;
};

// StateOf evaluates `trigger` on `day` (UTC); `days` hold all usage of its account, or at least
// that of the day's month and year.
TriggerState StateOf(const UsageTrigger& trigger, const DailyUsage& days,
                     std::chrono::sys_days day);

}  // namespace turnpike
