#include "common/metering/verify.h"

#include <algorithm>
#include <set>

#include "common/base/log.h"
#include "common/metering/billing.h"
#include "common/metering/billing_file.h"
#include "common/metering/ledger_schema.h"
#include "common/metering/ledger_tables.h"
#include "common/metering/sqlite.h"
#include "common/metering/totals_sql.h"
#include "common/metering/verify_sums.h"

namespace turnpike {
namespace {

// Columns lists `table.column type` of every table of the file, but for SQLite's own (what ANALYZE
// found, say).
std::set<std::string> Columns(Database& database) {
  std::set<std::string> columns;
  Statement rows(database,
                 "SELECT t.name || '.' || c.name || ' ' || c.type || "
                 "CASE WHEN c.\"notnull\" THEN ' NOT NULL' ELSE '' END || "
                 "CASE WHEN c.pk THEN ' key ' || c.pk ELSE '' END "
                 "FROM main.sqlite_schema t JOIN pragma_table_xinfo(t.name, 'main') c "
                 "WHERE t.type = 'table' AND t.name NOT GLOB 'sqlite_*'");
  while (rows.Step()) columns.insert(rows.Bytes(0));
  return columns;
}

VerifyCheck CheckSchema(Database& database) {
  const int64_t version = database.QueryInt("PRAGMA user_version");
  VerifyCheck check{"schema", true, "version " + std::to_string(version)};
  if (version != kLedgerSchemaVersion) {
    check.text += ", read as version " + std::to_string(kLedgerSchemaVersion);
    return check;
  }
  auto fresh = Database::Open(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "");
  if (!fresh) return {"schema", false, fresh.error()};
  (*fresh)->Exec(ExpandTotals(kCreateLedger));
  const auto want = Columns(**fresh);
  const auto have = Columns(database);
  std::vector<std::string> wrong;
  std::ranges::set_difference(want, have, std::back_inserter(wrong));
  if (!wrong.empty()) return {"schema", false, "it lacks " + wrong.front()};
  std::ranges::set_difference(have, want, std::back_inserter(wrong));
  if (!wrong.empty()) return {"schema", false, "it has an unknown " + wrong.front()};
  check.text += ", " + std::to_string(have.size()) + " columns";
  return check;
}

VerifyCheck CheckIntegrity(Database& database) {
  Statement check(database, "PRAGMA integrity_check(1)");
  const std::string answer = check.Step() ? check.Bytes(0) : "nothing";
  if (answer != "ok") return {"integrity", false, "SQLite says: " + EscapeText(answer)};
  return {"integrity", true, "every page and index"};
}

VerifyCheck CheckReferences(Database& database) {
  Statement check(database,
                  "SELECT \"table\", rowid, parent FROM pragma_foreign_key_check LIMIT 1");
  if (!check.Step()) return {"references", true, "every row that is named exists"};
  return {"references", false,
          "a row of " + check.Bytes(0) +
              (check.IsNull(1) ? std::string() : " (" + std::to_string(check.Int(1)) + ")") +
              " names one of " + check.Bytes(2) + " that is missing"};
}

std::string Describe(const BillingEntry& entry) {
  return "entry " + std::to_string(entry.number) + " (" + std::string(EntryKindName(entry.kind)) +
         " of " + EscapeText(entry.period) + ")";
}

// IsInvoiceOfBareClose: a month that was closed without rates may get its invoices later.
bool IsInvoiceOfBareClose(const BillingEntry& entry, const std::set<std::string>& invoiced) {
  return entry.kind == EntryKind::kInvoice && entry.original_period.empty() &&
         !invoiced.contains(entry.period);
}

// CheckChain walks the billing file: numbers, hashes, and that nothing was added to a closed
// period.
VerifyCheck CheckChain(BillingFile& file, const std::optional<std::string>& head) {
  VerifyCheck check{"chain", true, ""};
  Sha256Digest previous{};
  int64_t count = 0;
  bool found_head = !head;
  std::set<std::string> closed;
  std::set<std::string> invoiced;  // before they were closed
  const auto fail = [&](std::string text) {
    check.ok = false;
    check.text = std::move(text);
    return false;
  };
  file.Walk([&](const BillingEntry& entry) {
    if (entry.number != ++count) {
      return fail("entry " + std::to_string(count) + " is missing before " + Describe(entry));
    }
    if (HashEntry(previous, entry) != entry.hash) {
      return fail(Describe(entry) +
                  " was changed: its hash is not that of its fields and of the "
                  "entry before");
    }
    if (closed.contains(entry.period) && !IsInvoiceOfBareClose(entry, invoiced)) {
      return fail(Describe(entry) + " stands after the close of its period");
    }
    if (entry.kind == EntryKind::kClose) closed.insert(entry.period);
    if (entry.kind == EntryKind::kInvoice && entry.original_period.empty() &&
        !closed.contains(entry.period)) {
      invoiced.insert(entry.period);
    }
    previous = entry.hash;
    found_head = found_head || FormatDigest(previous) == *head;
    return true;
  });
  if (!check.ok) return check;
  if (!found_head) {
    fail("no entry has the hash " + EscapeText(*head) + ": entries were removed or written anew");
    return check;
  }
  check.text = std::to_string(count) + " entries, " + std::to_string(closed.size()) +
               " closed periods, head " + FormatDigest(previous);
  return check;
}

// CheckPeriods holds what was closed against the ledger. Late usage is no error: it waits for its
// correction. A ledger that has less than what was billed is one.
VerifyCheck CheckPeriods(const std::vector<PeriodStatus>& periods) {
  VerifyCheck check{"periods", true, ""};
  int64_t late = 0;
  uint64_t closed = 0;
  for (const PeriodStatus& period : periods) {
    if (period.state != PeriodState::kClosed) continue;
    ++closed;
    if (!period.first_loss.empty() && check.ok) {
      check.ok = false;
      check.text = period.month.name + ": the ledger has " + std::to_string(period.lost_bytes) +
                   " billable bytes less than what was closed, first of " + period.first_loss;
    }
    late += period.late_bytes;
  }
  if (!check.ok) return check;
  check.text = "what was closed is in the ledger (" + std::to_string(closed) + " periods)";
  if (late > 0) check.text += "; " + std::to_string(late) + " bytes came late: usage correct";
  return check;
}

std::expected<void, std::string> VerifyBilling(const VerifyOptions& options, VerifyReport& report) {
  const auto file = BillingFile::OpenForReading(options.ledger);
  if (!file) return std::unexpected(file.error());
  if (*file == nullptr) {
    VerifyCheck none{"chain", !options.head, "no period was closed yet"};
    if (options.head) none.text = "there is no " + BillingPath(options.ledger);
    report.checks.push_back(std::move(none));
    return {};
  }
  report.checks.push_back(CheckChain(**file, options.head));
  if (!(*file)->database().ok())
    return std::unexpected("cannot read " + (*file)->database().error());
  if (!report.checks.back().ok) return {};  // its sums mean nothing
  BillingRequest request;
  request.ledger = options.ledger;
  const auto periods = ListPeriods(request);
  if (!periods) return std::unexpected(periods.error());
  report.checks.push_back(CheckPeriods(*periods));
  return {};
}

}  // namespace

bool VerifyReport::ok() const { return std::ranges::all_of(checks, &VerifyCheck::ok); }

std::expected<VerifyReport, std::string> VerifyLedger(const VerifyOptions& options) {
  auto opened = OpenLedgerForReading(options.ledger);
  if (!opened) return std::unexpected(opened.error());
  Database& database = **opened;
  database.Exec("BEGIN");
  VerifyReport report;
  report.as_of = WallTime(std::chrono::microseconds(database.QueryInt("SELECT as_of FROM meta")));
  const auto progress = [&](std::string_view step) {
    if (options.progress) options.progress(step, 0);
  };
  report.checks.push_back(CheckSchema(database));
  if (report.ok()) {
    progress("integrity");
    report.checks.push_back(CheckIntegrity(database));
    progress("references");
    report.checks.push_back(CheckReferences(database));
    VerifySums(database, options, report);
  }
  if (!database.ok()) return std::unexpected("cannot read " + database.error());
  if (auto ok = VerifyBilling(options, report); !ok) return std::unexpected(ok.error());
  return report;
}

}  // namespace turnpike
