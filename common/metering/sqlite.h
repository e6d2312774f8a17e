// SQLite with owners and one sticky error: a database remembers its first failure, every statement
// after it does nothing, and the caller looks once at the end.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace turnpike {

// SqlText is bound as TEXT; a plain string_view is bound as BLOB, which keeps arbitrary bytes
// exact.
struct SqlText {
  std::string_view text;
};

// Database owns a connection. One thread at a time. Statements on it must be destroyed before it.
class Database {
 public:
  // Open opens `path` with SQLITE_OPEN_* `flags`; `vfs` is empty for SQLite's default. Closing
  // never checkpoints the WAL (SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE): that is for the ledger's writer
  // to decide.
  static std::expected<std::unique_ptr<Database>, std::string> Open(const std::string& path,
                                                                    int flags,
                                                                    const std::string& vfs);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // ok is false once anything failed; error is then a sentence without a full stop that names the
  // file, and code SQLite's extended result code.
  bool ok() const { return error_.empty(); }
  const std::string& error() const { return error_; }
  int code() const { return code_; }

  // Exec runs statements that return nothing of interest.
  void Exec(const char* sql);
  void Exec(const std::string& sql) { Exec(sql.c_str()); }

  // QueryInt returns the first column of the first row, or 0 when there is none or on failure.
  int64_t QueryInt(const char* sql);

  // Fail records SQLite's current error, unless there is one already.
  void Fail();

  sqlite3* handle() const { return handle_; }
  const std::string& path() const { return path_; }

 private:
  Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}

  sqlite3* handle_;
  std::string path_;
  std::string error_;
  int code_ = 0;
};

// Statement is one prepared statement. Bind numbers parameters from 1 in the order of its
// arguments.
class Statement {
 public:
  Statement(Database& database, const std::string& sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Bind binds blobs and texts without a copy: they must live until the statement is reset.
  template <typename... Values>
  Statement& Bind(const Values&... values) {
    int index = 0;
    (BindOne(++index, values), ...);
    return *this;
  }
  void BindOne(int index, int64_t value);
  void BindOne(int index, uint32_t value) { BindOne(index, int64_t{value}); }
  // A total beyond 2^63-1, which no relay reaches, is stored as 2^63-1 and logged.
  void BindOne(int index, uint64_t value);
  void BindOne(int index, std::string_view blob);
  void BindOne(int index, SqlText text);
  void BindOne(int index, std::nullopt_t);

  // Step returns true when there is a row. At the end, or on failure, the statement is reset.
  bool Step();

  // Run steps to the end.
  void Run();

  int64_t Int(int column) const { return sqlite3_column_int64(statement_, column); }
  // A stored total is never negative.
  uint64_t Total(int column) const { return static_cast<uint64_t>(Int(column)); }
  bool IsNull(int column) const;
  // View looks at a BLOB or TEXT until the next Step; Bytes copies it.
  std::string_view View(int column) const;
  std::string Bytes(int column) const;

 private:
  void Check(int result);

  Database& database_;
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace turnpike
