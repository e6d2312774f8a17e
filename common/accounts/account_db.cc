#include "common/accounts/account_db.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>

namespace turnpike {
namespace {

using std::chrono::milliseconds;

constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS account(
  sid TEXT PRIMARY KEY, account BLOB NOT NULL, name BLOB NOT NULL,
  created_ms INTEGER NOT NULL, disabled INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS secret(
  hash BLOB PRIMARY KEY, sid TEXT NOT NULL, kind INTEGER NOT NULL,
  expires_ms INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS usage_trigger(
  sid TEXT PRIMARY KEY, account_sid TEXT NOT NULL, created_ms INTEGER NOT NULL,
  name BLOB NOT NULL, category TEXT NOT NULL, trigger_by TEXT NOT NULL, value TEXT NOT NULL,
  recurring TEXT NOT NULL, url BLOB NOT NULL, method TEXT NOT NULL,
  fired_ms INTEGER, fired_period TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox(
  id INTEGER PRIMARY KEY, account_sid TEXT NOT NULL, url BLOB NOT NULL, method TEXT NOT NULL,
  form BLOB NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due_ms INTEGER NOT NULL) STRICT;
)";

}  // namespace

int64_t Millis(WallTime time) {
  return std::chrono::floor<milliseconds>(time.time_since_epoch()).count();
}

std::expected<std::unique_ptr<Database>, std::string> OpenApiDatabase(const std::string& path) {
  const mode_t before = umask(0077);
  auto database = Database::Open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "");
  if (database) {
    sqlite3_busy_timeout((*database)->handle(), 5000);
    (*database)->Exec("PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL;");
    (*database)->Exec("BEGIN IMMEDIATE");
    (*database)->Exec(kSchema);
    (*database)->Exec("COMMIT");
  }
  umask(before);
  if (!database) return database;
  if (!(*database)->ok()) return std::unexpected((*database)->error());
  return database;
}

std::expected<std::unique_ptr<AccountDb>, std::string> AccountDb::Open(const std::string& path) {
  auto database = OpenApiDatabase(path);
  if (!database) return std::unexpected(database.error());
  return std::unique_ptr<AccountDb>(new AccountDb(std::move(*database)));
}

std::expected<void, std::string> AccountDb::Result() const {
  if (!database_->ok()) return std::unexpected(database_->error());
  return {};
}

std::expected<void, std::string> AccountDb::Require(std::string_view sid) {
  Statement find(*database_, "SELECT 1 FROM account WHERE sid = ?");
  find.Bind(SqlText{sid});
  const bool found = find.Step();
  if (auto result = Result(); !result) return result;
  if (!found) {
    return std::unexpected("there is no account " + std::string(sid) + " in " + database_->path());
  }
  return {};
}

void AccountDb::AddSecret(std::string_view sid, const AccountSecret& secret) {
  Statement insert(*database_,
                   "INSERT INTO secret(hash, sid, kind, expires_ms) VALUES(?, ?, ?, ?)");
  insert.Bind(DigestBytes(secret.hash), SqlText{sid}, static_cast<int64_t>(secret.kind));
  if (secret.expires_at) {
    insert.BindOne(4, Millis(*secret.expires_at));
  } else {
    insert.BindOne(4, std::nullopt);
  }
  insert.Run();
}

std::expected<void, std::string> AccountDb::Add(const ApiAccount& account, WallTime now) {
  if (Require(account.sid)) {
    return std::unexpected("there is an account " + account.sid + " already");
  }
  database_->Exec("BEGIN IMMEDIATE");
  {
    Statement insert(*database_,
                     "INSERT INTO account(sid, account, name, created_ms, disabled) "
                     "VALUES(?, ?, ?, ?, ?)");
    insert.Bind(SqlText{account.sid}, std::string_view(account.account),
                std::string_view(account.name), Millis(now), int64_t{account.disabled});
    insert.Run();
  }
  for (const AccountSecret& secret : account.secrets) AddSecret(account.sid, secret);
  database_->Exec("COMMIT");
  return Result();
}

std::expected<std::vector<ApiAccount>, std::string> AccountDb::List() {
  std::vector<ApiAccount> accounts;
  database_->Exec("BEGIN");
  Statement rows(*database_, "SELECT sid, account, name, disabled FROM account ORDER BY sid");
  while (rows.Step()) {
    accounts.push_back({rows.Bytes(0), rows.Bytes(1), rows.Bytes(2), rows.Int(3) != 0});
  }
  Statement secrets(*database_, "SELECT sid, kind, hash, expires_ms FROM secret ORDER BY hash");
  while (secrets.Step()) {
    const auto owner = std::ranges::find(accounts, secrets.View(0), &ApiAccount::sid);
    const std::string_view hash = secrets.View(2);
    AccountSecret secret{.kind = static_cast<SecretKind>(secrets.Int(1))};
    if (owner == accounts.end() || hash.size() != secret.hash.size()) continue;
    std::ranges::copy(hash, secret.hash.begin());
    if (!secrets.IsNull(3)) {
      secret.expires_at = WallTime(milliseconds(secrets.Int(3)));
    }
    owner->secrets.push_back(secret);
  }
  database_->Exec("COMMIT");
  if (auto result = Result(); !result) return std::unexpected(result.error());
  return accounts;
}

std::expected<void, std::string> AccountDb::Rotate(std::string_view sid,
                                                   const AccountSecret& secret, WallTime now,
                                                   Duration grace) {
  if (auto known = Require(sid); !known) return known;
  database_->Exec("BEGIN IMMEDIATE");
  {
    const auto kind = static_cast<int64_t>(secret.kind);
    Statement clear(*database_, "DELETE FROM secret WHERE sid = ? AND expires_ms <= ?");
    clear.Bind(SqlText{sid}, Millis(now));
    clear.Run();
    Statement expire(*database_,
                     "UPDATE secret SET expires_ms = min(ifnull(expires_ms, ?), ?) "
                     "WHERE sid = ? AND kind = ?");
    const int64_t end = Millis(now + std::chrono::floor<milliseconds>(grace));
    expire.Bind(end, end, SqlText{sid}, kind);
    expire.Run();
  }
  AddSecret(sid, secret);
  database_->Exec("COMMIT");
  return Result();
}

std::expected<void, std::string> AccountDb::SetDisabled(std::string_view sid, bool disabled) {
  if (auto known = Require(sid); !known) return known;
  Statement update(*database_, "UPDATE account SET disabled = ? WHERE sid = ?");
  update.Bind(int64_t{disabled}, SqlText{sid});
  update.Run();
  return Result();
}

int64_t AccountDb::Version() { return database_->QueryInt("PRAGMA data_version"); }

}  // namespace turnpike
