#include "common/metering/billing_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "common/base/log.h"
#include "common/metering/totals_sql.h"

namespace turnpike {
namespace {

constexpr uint32_t kApplicationId = 0x5450424C;  // "TPBL"
constexpr int64_t kSchemaVersion = 1;

constexpr const char* kCreate = R"sql(
CREATE TABLE entry(
  number INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('usage', 'correction', 'invoice', 'close')),
  period TEXT NOT NULL,
  original_period TEXT NOT NULL,
  original INTEGER NOT NULL,
  account BLOB NOT NULL,
  region BLOB NOT NULL,
  transport TEXT NOT NULL,
  label BLOB NOT NULL,
  {$ INTEGER NOT NULL},
  sessions INTEGER NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL,
  as_of INTEGER NOT NULL,
  detail TEXT NOT NULL,
  hash BLOB NOT NULL
) STRICT;
CREATE INDEX entry_period ON entry(period, kind);
CREATE UNIQUE INDEX entry_close ON entry(period) WHERE kind = 'close';
CREATE TRIGGER entry_frozen BEFORE UPDATE ON entry
  BEGIN SELECT raise(ABORT, 'entries are never changed: book a correction'); END;
CREATE TRIGGER entry_kept BEFORE DELETE ON entry
  BEGIN SELECT raise(ABORT, 'entries are never deleted: book a correction'); END;
PRAGMA application_id = 0x5450424C;
PRAGMA user_version = 1;
)sql";

constexpr std::array<std::string_view, kEntryKindCount> kKindNames = {"usage", "correction",
                                                                      "invoice", "close"};

std::string ExplainBilling(const Database& database) {
  switch (database.code() & 0xFF) {
    case SQLITE_BUSY:
      return database.path() + " is in use by another command that closes or corrects: wait for it";
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return database.path() +
             " cannot be written by this user: closed periods lie beside the ledger; run as the "
             "server's user";
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return database.path() + " is damaged: restore it from a backup";
    default:
      return database.error();
  }
}

bool IsFile(const std::string& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

void AddField(std::string& text, std::string_view field) {
  text += std::to_string(field.size());
  text += ':';
  text += field;
  text += ',';
}

void AddField(std::string& text, int64_t value) { AddField(text, std::to_string(value)); }

int64_t Micros(WallTime time) { return time.time_since_epoch().count(); }

BillingEntry ReadEntry(const Statement& row) {
  BillingEntry entry;
  entry.number = row.Int(0);
  const std::string kind = row.Bytes(1);
  entry.kind = static_cast<EntryKind>(std::ranges::find(kKindNames, kind) - std::begin(kKindNames));
  entry.period = row.Bytes(2);
  entry.original_period = row.Bytes(3);
  entry.original = row.Int(4);
  entry.account = row.Bytes(5);
  entry.region = row.Bytes(6);
  entry.transport = row.Bytes(7);
  entry.label = row.Bytes(8);
  for (size_t i = 0; i < entry.counts.size(); ++i) {
    entry.counts[i] = row.Int(9 + static_cast<int>(i));
  }
  entry.actor = row.Bytes(16);
  entry.reason = row.Bytes(17);
  entry.at = WallTime(std::chrono::microseconds(row.Int(18)));
  entry.as_of = WallTime(std::chrono::microseconds(row.Int(19)));
  entry.detail = row.Bytes(20);
  const std::string hash = row.Bytes(21);
  std::copy_n(hash.begin(), std::min(hash.size(), entry.hash.size()), entry.hash.begin());
  return entry;
}

}  // namespace

std::string_view EntryKindName(EntryKind kind) { return kKindNames[static_cast<size_t>(kind)]; }

Sha256Digest HashEntry(const Sha256Digest& previous, const BillingEntry& entry) {
  std::string text(DigestBytes(previous));
  AddField(text, entry.number);
  AddField(text, EntryKindName(entry.kind));
  AddField(text, entry.period);
  AddField(text, entry.original_period);
  AddField(text, entry.original);
  for (const std::string* name : {&entry.account, &entry.region, &entry.transport, &entry.label}) {
    AddField(text, *name);
  }
  for (const int64_t count : entry.counts) AddField(text, count);
  AddField(text, entry.actor);
  AddField(text, entry.reason);
  AddField(text, Micros(entry.at));
  AddField(text, Micros(entry.as_of));
  AddField(text, entry.detail);
  return Sha256(text);
}

std::string BillingPath(const std::string& ledger) {
  if (!IsFile(ledger)) return ledger + "/billing.db";
  // The directory's own ledger has one set of books, however it is named.
  if (const auto file = std::filesystem::path(ledger); file.filename() == "usage.db") {
    return file.parent_path() / "billing.db";
  }
  return (ledger.ends_with(".db") ? ledger.substr(0, ledger.size() - 3) : ledger) + ".billing.db";
}

std::expected<std::unique_ptr<BillingFile>, std::string> BillingFile::Open(const std::string& path,
                                                                           int flags,
                                                                           const std::string& vfs) {
  auto opened = Database::Open(path, flags, vfs);
  if (!opened) {
    return std::unexpected("cannot open " + path +
                           ": its directory must exist and be writable for this user");
  }
  Database& database = **opened;
  sqlite3_busy_timeout(database.handle(), 5000);
  // A rollback journal, not a WAL: any number of processes may then write in turn. EXTRA also makes
  // the end of the journal durable, which is what commits.
  database.Exec("PRAGMA synchronous = EXTRA");
  const int64_t version = database.QueryInt("PRAGMA user_version");
  const int64_t application = database.QueryInt("PRAGMA application_id");
  const bool empty = version == 0 && application == 0 &&
                     database.QueryInt("SELECT count(*) FROM sqlite_schema") == 0;
  if (!database.ok()) return std::unexpected(ExplainBilling(database));
  if (!empty && application != kApplicationId) {
    return std::unexpected(path + " is not a billing file of Turnpike: move it away");
  }
  if (!empty && version != kSchemaVersion) {
    return std::unexpected(path + " has schema " + std::to_string(version) +
                           ", this program knows " + std::to_string(kSchemaVersion) +
                           ": use a newer release");
  }
  return std::unique_ptr<BillingFile>(new BillingFile(std::move(*opened)));
}

std::expected<std::unique_ptr<BillingFile>, std::string> BillingFile::OpenForWriting(
    const std::string& ledger, const std::string& vfs) {
  auto file = Open(BillingPath(ledger), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs);
  if (!file) return file;
  Database& database = (*file)->database();
  database.Exec("BEGIN IMMEDIATE");
  if (database.QueryInt("PRAGMA user_version") == 0) database.Exec(ExpandTotals(kCreate));
  return Check(std::move(*file));
}

std::expected<std::unique_ptr<BillingFile>, std::string> BillingFile::OpenForReading(
    const std::string& ledger) {
  const std::string path = BillingPath(ledger);
  if (!IsFile(path)) return nullptr;
  // Not read-only: a command that was killed leaves a journal, which must be rolled back first.
  auto file = Open(path, SQLITE_OPEN_READWRITE, "");
  if (!file) return file;
  Database& database = (*file)->database();
  database.Exec("BEGIN");
  // A command that was killed before its first commit leaves an empty file.
  if (database.QueryInt("PRAGMA user_version") == 0 && database.ok()) return nullptr;
  return Check(std::move(*file));
}

// Check loads the head, and refuses entries of which this program does not know what they mean.
std::expected<std::unique_ptr<BillingFile>, std::string> BillingFile::Check(
    std::unique_ptr<BillingFile> file) {
  Database& database = file->database();
  file->LoadHead();
  std::string known;
  for (const std::string_view kind : kKindNames) {
    known += (known.empty() ? "'" : ", '") + std::string(kind) + "'";
  }
  Statement unknown(database,
                    "SELECT min(number), kind FROM entry WHERE kind NOT IN (" + known + ")");
  const bool found = unknown.Step() && !unknown.IsNull(0);
  if (!database.ok()) return std::unexpected(ExplainBilling(database));
  if (!found) return file;
  return std::unexpected(database.path() + ": entry " + std::to_string(unknown.Int(0)) +
                         " has the unknown kind \"" + EscapeText(unknown.Bytes(1)) +
                         "\": it was changed by hand, or a newer release wrote it");
}

void BillingFile::LoadHead() {
  Statement last(*database_, "SELECT number, hash FROM entry ORDER BY number DESC LIMIT 1");
  if (!last.Step()) return;
  last_number_ = last.Int(0);
  const std::string hash = last.Bytes(1);
  std::copy_n(hash.begin(), std::min(hash.size(), head_.size()), head_.begin());
}

int64_t BillingFile::Append(BillingEntry entry) {
  entry.number = ++last_number_;
  head_ = HashEntry(head_, entry);
  Statement insert(*database_,
                   "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                   "?, ?, ?, ?, ?)");
  const BilledCounts& c = entry.counts;
  insert
      .Bind(entry.number, SqlText{EntryKindName(entry.kind)}, SqlText{entry.period},
            SqlText{entry.original_period}, entry.original, std::string_view(entry.account),
            std::string_view(entry.region), SqlText{entry.transport}, std::string_view(entry.label),
            c[0], c[1], c[2], c[3], c[4], c[5], c[6], SqlText{entry.actor}, SqlText{entry.reason},
            Micros(entry.at), Micros(entry.as_of), SqlText{entry.detail}, DigestBytes(head_))
      .Run();
  return entry.number;
}

bool BillingFile::Commit() {
  database_->Exec("COMMIT");
  return database_->ok();
}

void BillingFile::Walk(const std::function<bool(const BillingEntry&)>& visit) {
  Statement rows(*database_, "SELECT * FROM entry ORDER BY number");
  while (rows.Step()) {
    if (!visit(ReadEntry(rows))) return;
  }
}

}  // namespace turnpike
