// The bill that a capture will cause, before it is sent, and the one that it has caused.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/metering/rating.h"
#include "common/metering/usage_row.h"
#include "tools/load/billing.h"
#include "tools/load/plan.h"
#include "tools/replay/scan.h"

namespace turnpike::replay {

// ReplayShape is what a replay makes of a capture, as far as a bill depends on it.
struct ReplayShape {
  uint64_t rounds = 1;
  uint32_t copies = 1;  // of each flow
  load::TransportMix mix{1, 0, 0, 0};
  load::Mode mode = load::Mode::kChannel;
  AddressFamily peer_family = AddressFamily::kIpv4;
};

// Payer is whom the bill is for, and where the server stands.
struct Payer {
  std::string account;
  std::string region;
  std::string label;
};

// ForecastUsage returns what the ledger will have: one row for each transport, in the bucket of
// `now`. Payload and packets are exact; wire bytes are those of this generator's framing.
std::vector<UsageRow> ForecastUsage(const Scan& scan, const ReplayShape& shape, const Payer& payer,
                                    WallTime now);

// Bill prices `rows` as all that `account` uses in the month of `now`: its allowance, tiers and
// minimum count as if it used nothing else. It fails with a sentence.
std::expected<Invoice, std::string> Bill(const RateTable& rates, const std::string& account,
                                         std::vector<UsageRow> rows, WallTime now);

// Compare holds the bill of what the ledger has for a run's sessions against the forecast.
load::ForecastResult Compare(const RateTable& rates, const Payer& payer,
                             const std::vector<UsageRow>& forecast,
                             std::span<const load::LedgerSession> ledger, WallTime now);

}  // namespace turnpike::replay
