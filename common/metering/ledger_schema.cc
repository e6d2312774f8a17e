#include "common/metering/ledger_schema.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "common/base/log.h"
#include "common/metering/file.h"
#include "common/metering/ledger_tables.h"
#include "common/metering/totals_sql.h"

namespace turnpike {
namespace {

// A larger file is not read whole at a start: it would keep the server down for its sake. Damage is
// then found by the statement that meets it.
constexpr int64_t kQuickCheckBytes = int64_t{64} << 20;

constexpr int64_t kOldestSchemaVersion = 1;

constexpr std::string_view kDamaged =
    " is damaged: restore it from a backup, or move it away together with its -wal file";

constexpr std::string_view kNoDatabase =
    " is not a ledger of Turnpike (not an SQLite database): move it away";

// ExplainLedger turns SQLite's words for common failures into what to do about them.
std::string ExplainLedger(const Database& database) {
  const std::string& path = database.path();
  switch (database.code() & 0xFF) {
    case SQLITE_NOTADB:
      return path + std::string(kNoDatabase);
    case SQLITE_CORRUPT:
      return path + std::string(kDamaged);
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return path +
             " cannot be written by this user: change the owner of the file and its directory";
    case SQLITE_CANTOPEN:
      return "cannot open " + path + ": the directory must exist and be writable for this user";
    case SQLITE_BUSY:
      return path + " is locked by another process: end it and start again";
    default:
      return database.error();
  }
}

// Recognise returns the schema of the file, and fails unless it is a ledger that this program
// knows.
std::expected<int64_t, std::string> Recognise(Database& database) {
  const int64_t application = database.QueryInt("PRAGMA application_id");
  const int64_t version = database.QueryInt("PRAGMA user_version");
  if (!database.ok()) return std::unexpected(ExplainLedger(database));
  if (application != kLedgerApplicationId) {
    return std::unexpected(database.path() +
                           " is not a ledger of Turnpike (another application's database)");
  }
  if (version >= kOldestSchemaVersion && version <= kLedgerSchemaVersion) return version;
  return std::unexpected(database.path() + " has schema " + std::to_string(version) +
                         ", this program knows " + std::to_string(kOldestSchemaVersion) + " to " +
                         std::to_string(kLedgerSchemaVersion) +
                         ": use the release that wrote it, or a newer one");
}

// QuickCheck fails when a ledger of moderate size is damaged.
std::expected<void, std::string> QuickCheck(Database& database) {
  const int64_t pages = database.QueryInt("PRAGMA page_count");
  if (pages * database.QueryInt("PRAGMA page_size") > kQuickCheckBytes) return {};
  Statement check(database, "PRAGMA quick_check(1)");
  const bool sound = check.Step() && check.Bytes(0) == "ok";
  if (!database.ok()) return std::unexpected(ExplainLedger(database));
  if (!sound) return std::unexpected(database.path() + std::string(kDamaged));
  return {};
}

// BringUpToDate creates the tables (version 0), or turns those of an older version into the present
// ones: one transaction, so that an interruption leaves what was there.
std::expected<void, std::string> BringUpToDate(Database& database, int64_t version) {
  if (version == kLedgerSchemaVersion) return {};
  database.Exec("BEGIN IMMEDIATE");
  database.Exec(ExpandTotals(version == 0 ? kCreateLedger : kMigrateLedgerFrom1));
  database.Exec("COMMIT");
  if (!database.ok()) return std::unexpected(ExplainLedger(database));
  if (version != 0) {
    Log(LogLevel::kInfo, "ledger_migrated",
        {{"file", database.path()}, {"from", version}, {"to", kLedgerSchemaVersion}});
  }
  return {};
}

// RewriteWal writes the bytes of the WAL over themselves and syncs them. After a failed fsync the
// kernel takes pages for clean that never reached the disk: only data that is written anew can be
// trusted to be synced. Opening then carries the WAL over into the database.
std::expected<void, std::string> RewriteWal(const std::string& path) {
  const std::string wal = path + "-wal";
  const FileDescriptor file(open(wal.c_str(), O_RDWR | O_CLOEXEC));
  // Without a WAL there is nothing to rewrite; one that cannot be opened is SQLite's to report.
  if (file.get() < 0) return {};
  std::vector<char> block(1 << 20);
  off_t offset = 0;
  for (;;) {
    const ssize_t size = pread(file.get(), block.data(), block.size(), offset);
    if (size < 0) return std::unexpected(SystemError("cannot read", wal, errno));
    if (size == 0) break;
    if (pwrite(file.get(), block.data(), static_cast<size_t>(size), offset) != size) {
      return std::unexpected(SystemError("cannot write", wal, errno));
    }
    offset += size;
  }
  if (fdatasync(file.get()) != 0) return std::unexpected(SystemError("cannot sync", wal, errno));
  return {};
}

}  // namespace

std::string LedgerPath(const std::string& directory) { return directory + "/usage.db"; }

std::expected<std::unique_ptr<Database>, std::string> OpenLedgerForWriting(const std::string& path,
                                                                           const std::string& vfs) {
  if (auto ok = RewriteWal(path); !ok) return std::unexpected(ok.error());
  auto opened = Database::Open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs);
  if (!opened) {
    return std::unexpected("cannot open " + path +
                           ": metering.directory must exist and be writable for this user");
  }
  Database& database = **opened;
  if (sqlite3_db_readonly(database.handle(), "main") == 1) {
    return std::unexpected(path + " is read-only for this user: change its owner or its mode");
  }
  sqlite3_busy_timeout(database.handle(), 1000);
  const bool empty = database.QueryInt("PRAGMA application_id") == 0 &&
                     database.QueryInt("SELECT count(*) FROM sqlite_schema") == 0;
  if (!database.ok()) return std::unexpected(ExplainLedger(database));
  // Before the mode is set, so that a foreign database stays as it is.
  int64_t version = 0;
  if (!empty) {
    const auto known = Recognise(database);
    if (!known) return std::unexpected(known.error());
    version = *known;
  }
  database.Exec("PRAGMA journal_mode = WAL");
  database.Exec("PRAGMA synchronous = FULL");
  database.Exec("PRAGMA wal_autocheckpoint = 0");
  database.Exec("PRAGMA cache_size = -16000");
  // A server writes nowhere but in its directory, not even what SQLite would put into /var/tmp.
  database.Exec("PRAGMA temp_store = MEMORY");
  if (!database.ok()) return std::unexpected(ExplainLedger(database));
  if (!empty) {
    if (auto ok = QuickCheck(database); !ok) return std::unexpected(ok.error());
  }
  if (auto ok = BringUpToDate(database, version); !ok) return std::unexpected(ok.error());
  // A reader may keep the WAL from being emptied (SQLITE_BUSY); that is no failure.
  const int code = sqlite3_wal_checkpoint_v2(database.handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE,
                                             nullptr, nullptr);
  if (code != SQLITE_OK && (code & 0xFF) != SQLITE_BUSY) {
    database.Fail();
    return std::unexpected(ExplainLedger(database));
  }
  return opened;
}

bool SaysDamaged(std::string_view error) {
  return error.contains(kDamaged) || error.contains(kNoDatabase);
}

std::expected<std::unique_ptr<Database>, std::string> OpenLedgerForReading(
    const std::string& ledger) {
  struct stat status{};
  const bool is_file = stat(ledger.c_str(), &status) == 0 && S_ISREG(status.st_mode);
  const std::string path = is_file ? ledger : LedgerPath(ledger);
  if (stat(path.c_str(), &status) != 0) {
    return std::unexpected(SystemError("cannot find a ledger:", path, errno) +
                           " (--ledger takes the server's metering.directory, or a merged file)");
  }
  auto opened = Database::Open(path, SQLITE_OPEN_READONLY, "");
  if (!opened) return std::unexpected("cannot open " + path + ": not readable for this user");
  Database& database = **opened;
  sqlite3_busy_timeout(database.handle(), 5000);
  // The first statement also finds out whether the WAL can be used, which needs its -shm file.
  const int64_t application = database.QueryInt("PRAGMA application_id");
  const int code = database.code() & 0xFF;
  if (database.code() == SQLITE_READONLY_ROLLBACK) {
    return std::unexpected(path + " was left by a merge that was interrupted: run it again");
  }
  if (!database.ok() && (code == SQLITE_CANTOPEN || code == SQLITE_READONLY)) {
    return std::unexpected(path +
                           " cannot be read here: a reader needs write permission in the directory "
                           "for the -shm file; run as the server's user, or copy usage.db and "
                           "usage.db-wal to a directory of your own");
  }
  static_cast<void>(application);
  const auto version = Recognise(database);
  if (!version) return std::unexpected(version.error());
  if (*version == 1) database.Exec(ExpandTotals(kReadLedgerVersion1));
  if (!database.ok()) return std::unexpected(ExplainLedger(database));
  return opened;
}

}  // namespace turnpike
