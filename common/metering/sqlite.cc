#include "common/metering/sqlite.h"

#include <limits>

#include "common/base/log.h"

namespace turnpike {

std::expected<std::unique_ptr<Database>, std::string> Database::Open(const std::string& path,
                                                                     int flags,
                                                                     const std::string& vfs) {
  // Counting what it allocates costs SQLite a mutex each time, and nobody asks. It refuses once it
  // is in use, which is no matter.
  [[maybe_unused]] static const int refused = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX,
                                   vfs.empty() ? nullptr : vfs.c_str());
  std::unique_ptr<Database> database(new Database(handle, path));
  if (code != SQLITE_OK) {
    database->Fail();
    return std::unexpected(database->error());
  }
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  return database;
}

Database::~Database() { sqlite3_close(handle_); }

void Database::Exec(const char* sql) {
  if (ok() && sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) Fail();
}

int64_t Database::QueryInt(const char* sql) {
  Statement statement(*this, sql);
  return statement.Step() ? statement.Int(0) : 0;
}

void Database::Fail() {
  if (!ok()) return;
  code_ = sqlite3_extended_errcode(handle_);
  error_ = path_ + ": " + sqlite3_errmsg(handle_) + " (SQLite code " + std::to_string(code_) + ")";
}

Statement::Statement(Database& database, const std::string& sql) : database_(database) {
  if (!database.ok()) return;
  Check(sqlite3_prepare_v3(database.handle(), sql.c_str(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &statement_, nullptr));
}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::Check(int result) {
  if (result != SQLITE_OK) database_.Fail();
}

void Statement::BindOne(int index, int64_t value) {
  if (database_.ok()) Check(sqlite3_bind_int64(statement_, index, value));
}

void Statement::BindOne(int index, uint64_t value) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  if (value > static_cast<uint64_t>(kMax)) {
    Log(LogLevel::kError, "ledger_total_saturated", {{"value", value}});
    value = static_cast<uint64_t>(kMax);
  }
  BindOne(index, static_cast<int64_t>(value));
}

void Statement::BindOne(int index, std::string_view blob) {
  if (!database_.ok()) return;
  // A null pointer would bind NULL; an empty name is an empty blob.
  const char* data = blob.empty() ? "" : blob.data();
  Check(sqlite3_bind_blob64(statement_, index, data, blob.size(), SQLITE_STATIC));
}

void Statement::BindOne(int index, SqlText text) {
  if (!database_.ok()) return;
  Check(sqlite3_bind_text(statement_, index, text.text.data(), static_cast<int>(text.text.size()),
                          SQLITE_STATIC));
}

void Statement::BindOne(int index, std::nullopt_t) {
  if (database_.ok()) Check(sqlite3_bind_null(statement_, index));
}

bool Statement::Step() {
  if (!database_.ok()) return false;
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result != SQLITE_DONE) database_.Fail();
  sqlite3_reset(statement_);
  return false;
}

void Statement::Run() {
  while (Step()) {
  }
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::string_view Statement::View(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column));
  return data == nullptr ? std::string_view()
                         : std::string_view(static_cast<const char*>(data), size);
}

std::string Statement::Bytes(int column) const { return std::string(View(column)); }

}  // namespace turnpike
