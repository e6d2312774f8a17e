#include "common/metering/ledger_schema.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "common/metering/file.h"

namespace turnpike {
namespace {

// A larger file is not read whole at a start: it would keep the server down for its sake. Damage is
// then found by the statement that meets it.
constexpr int64_t kQuickCheckBytes = int64_t{64} << 20;

constexpr const char* kCreate = R"sql(
CREATE TABLE meta(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
  as_of INTEGER NOT NULL,
  created INTEGER
) STRICT;
INSERT INTO meta VALUES (1, 'open', 0, NULL);
CREATE TABLE boot(
  key INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  node BLOB NOT NULL,
  region BLOB NOT NULL,
  edge BLOB NOT NULL
) STRICT;
CREATE TABLE account(
  key INTEGER PRIMARY KEY,
  name BLOB NOT NULL UNIQUE
) STRICT;
CREATE TABLE session(
  key INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  boot INTEGER NOT NULL REFERENCES boot,
  account INTEGER NOT NULL REFERENCES account,
  label BLOB NOT NULL,
  username BLOB NOT NULL,
  transport TEXT NOT NULL,
  client_address TEXT NOT NULL,
  relayed_address TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  close_reason TEXT,
  client_to_peer_bytes INTEGER NOT NULL,
  peer_to_client_bytes INTEGER NOT NULL,
  client_to_peer_wire_bytes INTEGER NOT NULL,
  peer_to_client_wire_bytes INTEGER NOT NULL,
  client_to_peer_packets INTEGER NOT NULL,
  peer_to_client_packets INTEGER NOT NULL
) STRICT;
CREATE INDEX session_started ON session(started_at);
CREATE INDEX session_open ON session(key) WHERE ended_at IS NULL;
CREATE TABLE session_drop(
  session INTEGER NOT NULL REFERENCES session,
  reason TEXT NOT NULL,
  packets INTEGER NOT NULL,
  PRIMARY KEY (session, reason)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_part(
  bucket INTEGER NOT NULL,
  session INTEGER NOT NULL REFERENCES session,
  client_to_peer_bytes INTEGER NOT NULL,
  peer_to_client_bytes INTEGER NOT NULL,
  client_to_peer_wire_bytes INTEGER NOT NULL,
  peer_to_client_wire_bytes INTEGER NOT NULL,
  client_to_peer_packets INTEGER NOT NULL,
  peer_to_client_packets INTEGER NOT NULL,
  PRIMARY KEY (bucket, session)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_bucket(
  bucket INTEGER NOT NULL,
  account INTEGER NOT NULL REFERENCES account,
  region BLOB NOT NULL,
  transport TEXT NOT NULL,
  label BLOB NOT NULL,
  client_to_peer_bytes INTEGER NOT NULL,
  peer_to_client_bytes INTEGER NOT NULL,
  client_to_peer_wire_bytes INTEGER NOT NULL,
  peer_to_client_wire_bytes INTEGER NOT NULL,
  client_to_peer_packets INTEGER NOT NULL,
  peer_to_client_packets INTEGER NOT NULL,
  PRIMARY KEY (bucket, account, region, transport, label)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_total(
  account INTEGER NOT NULL REFERENCES account,
  region BLOB NOT NULL,
  client_to_peer_bytes INTEGER NOT NULL,
  peer_to_client_bytes INTEGER NOT NULL,
  PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;
PRAGMA application_id = 0x54504C47;
PRAGMA user_version = 1;
)sql";

constexpr std::string_view kDamaged =
    " is damaged: restore it from a backup, or move it away together with its -wal file";

// Explain turns SQLite's words for common failures into what to do about them.
std::string Explain(const Database& database) {
  const std::string& path = database.path();
  switch (database.code() & 0xFF) {
    case SQLITE_NOTADB:
      return path + " is not a ledger of Turnpike (not an SQLite database): move it away";
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

// Recognise fails unless the file is a ledger that this program knows.
std::expected<void, std::string> Recognise(Database& database) {
  const int64_t application = database.QueryInt("PRAGMA application_id");
  const int64_t version = database.QueryInt("PRAGMA user_version");
  if (!database.ok()) return std::unexpected(Explain(database));
  if (application != kLedgerApplicationId) {
    return std::unexpected(database.path() +
                           " is not a ledger of Turnpike (another application's database)");
  }
  if (version == kLedgerSchemaVersion) return {};
  return std::unexpected(database.path() + " has schema " + std::to_string(version) +
                         ", this program knows " + std::to_string(kLedgerSchemaVersion) +
                         ": use the release that wrote it, or a newer one");
}

// QuickCheck fails when a ledger of moderate size is damaged.
std::expected<void, std::string> QuickCheck(Database& database) {
  const int64_t pages = database.QueryInt("PRAGMA page_count");
  if (pages * database.QueryInt("PRAGMA page_size") > kQuickCheckBytes) return {};
  Statement check(database, "PRAGMA quick_check(1)");
  const bool sound = check.Step() && check.Bytes(0) == "ok";
  if (!database.ok()) return std::unexpected(Explain(database));
  if (!sound) return std::unexpected(database.path() + std::string(kDamaged));
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
  if (!database.ok()) return std::unexpected(Explain(database));
  // Before the mode is set, so that a foreign database stays as it is.
  if (!empty) {
    if (auto ok = Recognise(database); !ok) return std::unexpected(ok.error());
  }
  database.Exec("PRAGMA journal_mode = WAL");
  database.Exec("PRAGMA synchronous = FULL");
  database.Exec("PRAGMA wal_autocheckpoint = 0");
  database.Exec("PRAGMA cache_size = -16000");
  if (empty) {
    database.Exec("BEGIN IMMEDIATE");
    database.Exec(kCreate);
    database.Exec("COMMIT");
  }
  if (!database.ok()) return std::unexpected(Explain(database));
  if (auto ok = QuickCheck(database); !ok) return std::unexpected(ok.error());
  // A reader may keep the WAL from being emptied (SQLITE_BUSY); that is no failure.
  const int code = sqlite3_wal_checkpoint_v2(database.handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE,
                                             nullptr, nullptr);
  if (code != SQLITE_OK && (code & 0xFF) != SQLITE_BUSY) {
    database.Fail();
    return std::unexpected(Explain(database));
  }
  return opened;
}

std::expected<std::unique_ptr<Database>, std::string> OpenLedgerForReading(
    const std::string& directory) {
  const std::string path = LedgerPath(directory);
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) {
    return std::unexpected(SystemError("cannot find a ledger:", path, errno) +
                           " (--ledger takes the server's metering.directory)");
  }
  auto opened = Database::Open(path, SQLITE_OPEN_READONLY, "");
  if (!opened) return std::unexpected("cannot open " + path + ": not readable for this user");
  Database& database = **opened;
  sqlite3_busy_timeout(database.handle(), 5000);
  // The first statement also finds out whether the WAL can be used, which needs its -shm file.
  const int64_t application = database.QueryInt("PRAGMA application_id");
  const int code = database.code() & 0xFF;
  if (!database.ok() && (code == SQLITE_CANTOPEN || code == SQLITE_READONLY)) {
    return std::unexpected(path +
                           " cannot be read here: a reader needs write permission in the directory "
                           "for the -shm file; run as the server's user, or copy usage.db and "
                           "usage.db-wal to a directory of your own");
  }
  static_cast<void>(application);
  if (auto ok = Recognise(database); !ok) return std::unexpected(ok.error());
  return opened;
}

}  // namespace turnpike
