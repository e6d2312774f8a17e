#include "common/metering/merge.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <memory>

#include "common/base/log.h"
#include "common/metering/ledger_schema.h"
#include "common/metering/ledger_tables.h"
#include "common/metering/merger.h"
#include "common/metering/sqlite.h"
#include "common/metering/totals_sql.h"
#include "common/metering/usage.h"

namespace turnpike {
namespace {

using std::chrono::microseconds;

bool SameFile(const std::string& a, const std::string& b) {
  struct stat left{};
  struct stat right{};
  return stat(a.c_str(), &left) == 0 && stat(b.c_str(), &right) == 0 &&
         left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

std::string FormatBoot(const std::string& bytes) {
  SessionId id{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), id.size()), id.begin());
  return FormatSessionId(id);
}

// OpenOutput opens or creates the output and begins the transaction.
std::expected<std::unique_ptr<Database>, std::string> OpenOutput(const MergeOptions& options) {
  const std::string& path = options.output;
  auto opened = Database::Open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, options.vfs);
  if (!opened) {
    return std::unexpected("cannot open " + path +
                           ": its directory must exist and be writable for this user");
  }
  Database& database = **opened;
  sqlite3_busy_timeout(database.handle(), 5000);
  database.Exec("PRAGMA synchronous = EXTRA");
  database.Exec("PRAGMA cache_size = -64000");
  database.Exec("PRAGMA temp_store = MEMORY");
  const int64_t application = database.QueryInt("PRAGMA application_id");
  const bool empty =
      application == 0 && database.QueryInt("SELECT count(*) FROM sqlite_schema") == 0;
  if (database.ok() && !empty &&
      (application != kLedgerApplicationId ||
       database.QueryInt("PRAGMA user_version") != kLedgerSchemaVersion ||
       database.QueryInt("SELECT count(*) FROM merged_ledger") == 0)) {
    return std::unexpected(path +
                           " was not made by a merge of this release: -o takes a new file, or one "
                           "that `usage merge` made");
  }
  database.Exec("BEGIN EXCLUSIVE");
  if (empty) database.Exec(ExpandTotals(kCreateLedger));
  if (!database.ok()) return std::unexpected("cannot write " + database.error());
  return opened;
}

std::expected<void, std::string> AddSource(const MergeOptions& options, const std::string& path,
                                           Merger& merger, std::vector<MergeGap>& gaps) {
  if (options.progress) options.progress(path);
  if (SameFile(path, options.output)) {
    return std::unexpected(path + " is the output as well: name each file once");
  }
  auto source = OpenLedgerForReading(path);
  if (!source) return std::unexpected(source.error());
  (*source)->Exec("BEGIN");
  const bool has_any = merger.Add(**source);
  if (!(*source)->ok()) return std::unexpected("cannot read " + (*source)->error());
  if (!has_any) gaps.push_back({"", "", path + " holds no session yet"});
  return {};
}

// FindGaps lists what the output itself shows to be missing.
void FindGaps(Database& database, const MergeOptions& options, std::vector<MergeGap>& gaps) {
  std::map<std::string, bool> nodes;
  const WallTime newest(microseconds(database.QueryInt("SELECT max(as_of) FROM merged_ledger")));
  Statement ledgers(database, "SELECT node, state, as_of FROM merged_ledger ORDER BY 1, 3");
  while (ledgers.Step()) {
    const std::string node = ledgers.Bytes(0);
    nodes[node] = true;
    const WallTime as_of(microseconds(ledgers.Int(2)));
    if (ledgers.Bytes(1) == "closed") continue;
    if (as_of < newest) {
      gaps.push_back({node, "",
                      "its ledger is complete up to " + FormatRfc3339(as_of) +
                          " only, the newest up to " + FormatRfc3339(newest)});
    }
  }
  Statement boots(database,
                  "SELECT node, boot.id, sum(ended_at IS NULL), sum(close_reason = 'crash') FROM "
                  "session JOIN boot ON boot.key = boot GROUP BY 1, 2 ORDER BY 1, 2");
  while (boots.Step()) {
    nodes[boots.Bytes(0)] = true;
    const std::string boot = FormatBoot(boots.Bytes(1));
    if (boots.Int(2) > 0) {
      gaps.push_back(
          {boots.Bytes(0), boot,
           std::to_string(boots.Int(2)) + " sessions were not over: merge a newer copy"});
    }
    if (boots.Int(3) > 0) {
      gaps.push_back({boots.Bytes(0), boot,
                      std::to_string(boots.Int(3)) +
                          " sessions ended with a crash: after a power cut, the last checkpoint "
                          "interval of them may be missing"});
    }
  }
  for (const std::string& node : options.nodes) {
    if (!nodes.contains(node)) gaps.push_back({node, "", "none of its ledgers was merged", true});
  }
}

}  // namespace

std::expected<MergeReport, std::string> MergeLedgers(const MergeOptions& options) {
  auto opened = OpenOutput(options);
  if (!opened) return std::unexpected(opened.error());
  Database& output = **opened;
  MergeReport report;
  const int64_t before = output.QueryInt("SELECT count(*) FROM session");
  {
    Merger merger(output);
    for (const std::string& path : options.sources) {
      if (auto ok = AddSource(options, path, merger, report.gaps); !ok) {
        return std::unexpected(ok.error());
      }
    }
    if (options.progress) options.progress("the sums");
    merger.Finish();
  }
  FindGaps(output, options, report.gaps);
  const int64_t sessions = output.QueryInt("SELECT count(*) FROM session");
  report.sessions = static_cast<uint64_t>(sessions);
  report.new_sessions = static_cast<uint64_t>(sessions - before);
  report.ledgers = static_cast<uint64_t>(output.QueryInt("SELECT count(*) FROM merged_ledger"));
  report.boots = static_cast<uint64_t>(output.QueryInt("SELECT count(*) FROM boot"));
  report.as_of = WallTime(microseconds(output.QueryInt("SELECT as_of FROM meta")));
  report.is_closed = output.QueryInt("SELECT state = 'closed' FROM meta") != 0;
  report.billable_bytes = static_cast<uint64_t>(output.QueryInt(
      "SELECT coalesce(sum(client_to_peer_bytes + peer_to_client_bytes), 0) FROM usage_total"));
  output.Exec("COMMIT");
  if (!output.ok()) return std::unexpected("cannot write " + output.error());
  return report;
}

}  // namespace turnpike
