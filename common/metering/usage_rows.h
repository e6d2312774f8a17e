// Usage as rating takes it: every bucket of every account. Reads usage buckets alone, never parts.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/metering/rating.h"
#include "common/metering/report.h"
#include "common/metering/sqlite.h"

namespace turnpike {

// UsageRows is what one read transaction saw. Buckets in which sessions only started have no row,
// and accounts without a row are not in `accounts`.
struct UsageRows {
  ReportScope scope;
  std::map<std::string, std::vector<UsageRow>> accounts;
};

// UnknownAccount says what an account is that the ledger has never seen: most often misspelt, or
// one that has not used anything yet.
enum class UnknownAccount : uint8_t { kError, kNoUsage };

// ReadUsageRows reads the buckets of `period`, of one account or of all. It fails with a sentence
// that names the file, or the account that is unknown.
std::expected<UsageRows, std::string> ReadUsageRows(
    const std::string& ledger, const Period& period, const std::optional<std::string>& account,
    UnknownAccount unknown = UnknownAccount::kError);

// ReadUsageRows reads the same within the caller's transaction.
std::expected<std::map<std::string, std::vector<UsageRow>>, std::string> ReadUsageRows(
    Database& database, const Period& period, const std::optional<std::string>& account,
    UnknownAccount unknown = UnknownAccount::kError);

}  // namespace turnpike
