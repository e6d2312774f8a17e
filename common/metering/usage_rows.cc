#include "common/metering/usage_rows.h"

#include "common/base/log.h"
#include "common/metering/reading.h"
#include "common/metering/totals_sql.h"

namespace turnpike {
namespace {

constexpr const char* kRows = R"sql(
SELECT bucket, account, region, transport, label, {$}
FROM usage_bucket
WHERE bucket >= ?1 AND bucket < ?2 AND (?3 IS NULL OR account = ?3)
  AND (client_to_peer_wire_bytes <> 0 OR peer_to_client_wire_bytes <> 0)
)sql";

}  // namespace

std::expected<UsageRows, std::string> ReadUsageRows(const std::string& ledger, const Period& period,
                                                    const std::optional<std::string>& account,
                                                    UnknownAccount unknown) {
  UsageRows usage;
  const auto opened = BeginReading(ledger, period, usage.scope);
  if (!opened) return std::unexpected(opened.error());
  auto accounts = ReadUsageRows(**opened, period, account, unknown);
  if (!accounts) return std::unexpected(accounts.error());
  usage.accounts = std::move(*accounts);
  return usage;
}

std::expected<std::map<std::string, std::vector<UsageRow>>, std::string> ReadUsageRows(
    Database& database, const Period& period, const std::optional<std::string>& account,
    UnknownAccount unknown) {
  std::map<std::string, std::vector<UsageRow>> usage;
  // Rows come in the order of buckets, so every row looks for its account: by number, not by name.
  std::map<int64_t, std::vector<UsageRow>*> by_key;
  std::optional<int64_t> only;
  Statement accounts(database, "SELECT key, name FROM account");
  while (accounts.Step()) {
    const std::string name = accounts.Bytes(1);
    if (account && name != *account) continue;
    if (account) only = accounts.Int(0);
    by_key[accounts.Int(0)] = &usage[name];
  }
  if (database.ok() && account && !only) {
    if (unknown == UnknownAccount::kNoUsage) return usage;
    return std::unexpected("the ledger knows no account \"" + EscapeText(*account) +
                           "\"; `turnpike usage report --by account` lists those it knows");
  }
  Statement rows(database, ExpandTotals(kRows));
  const ReadingBounds bounds(period);
  rows.Bind(bounds.first_bucket, bounds.end_bucket);
  if (only) rows.BindOne(3, *only);
  while (rows.Step()) {
    const auto owner = by_key.find(rows.Int(1));
    if (owner == by_key.end()) return std::unexpected(database.path() + " has usage of no account");
    UsageRow& row = owner->second->emplace_back();
    row.bucket = BucketIndex(static_cast<uint32_t>(rows.Int(0)));
    row.region = rows.Bytes(2);
    row.transport = rows.Bytes(3);
    row.label = rows.Bytes(4);
    row.totals = ReadTotals(rows, 5);
  }
  if (!database.ok()) return std::unexpected("cannot read " + database.error());
  std::erase_if(usage, [](const auto& item) { return item.second.empty(); });
  return usage;
}

}  // namespace turnpike
