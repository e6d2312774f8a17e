// Usage as rating takes it: every bucket of every account. Reads usage buckets alone, never parts.
#pragma once

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

// ReadUsageRows reads the buckets of `period`, of one account or of all. It fails with a sentence
// that names the file, and when the ledger has never seen `account`.
std::expected<UsageRows, std::string> ReadUsageRows(const std::string& ledger, const Period& period,
                                                    const std::optional<std::string>& account);

// ReadUsageRows reads the same within the caller's transaction.
std::expected<std::map<std::string, std::vector<UsageRow>>, std::string> ReadUsageRows(
    Database& database, const Period& period, const std::optional<std::string>& account);

}  // namespace turnpike
