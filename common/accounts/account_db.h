// The database of accounts, beside those of the configuration. `turnpike account` writes it while a
// server reads it: SQLite with a rollback journal, which several processes may share. It is not the
// ledger: losing it loses no usage.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/accounts/account.h"
#include "common/base/time.h"
#include "common/metering/sqlite.h"

namespace turnpike {

// kApiDatabaseName is the file's name, in the server's metering.directory.
inline constexpr const char* kApiDatabaseName = "api.db";

// OpenApiDatabase opens the file at `path`, and makes it, for its owner alone, where there is none.
// It holds accounts, usage triggers and what waits to be delivered. Fails with a sentence.
std::expected<std::unique_ptr<Database>, std::string> OpenApiDatabase(const std::string& path);

// Millis is how its tables keep times: milliseconds since 1970.
int64_t Millis(WallTime time);

// AccountDb reads and writes accounts. One thread at a time. Every method fails with a sentence;
// after a failure of the database itself the object is to be made anew.
class AccountDb {
 public:
  static std::expected<std::unique_ptr<AccountDb>, std::string> Open(const std::string& path);

  // Add fails when the SID is known already.
  std::expected<void, std::string> Add(const ApiAccount& account, WallTime now);

  // List returns all accounts, by SID.
  std::expected<std::vector<ApiAccount>, std::string> List();

  // Rotate gives `sid` a new secret in the place of those of its kind, which are good for `grace`
  // longer, so that back ends can be changed one after the other.
  std::expected<void, std::string> Rotate(std::string_view sid, const AccountSecret& secret,
                                          WallTime now, Duration grace);

  // SetDisabled disables an account, or enables it again. Credentials that it has minted are good
  // until they expire.
  std::expected<void, std::string> SetDisabled(std::string_view sid, bool disabled);

  // Version changes when somebody else has written the file.
  int64_t Version();
  const std::string& error() const { return database_->error(); }

 private:
  explicit AccountDb(std::unique_ptr<Database> database) : database_(std::move(database)) {}
  std::expected<void, std::string> Require(std::string_view sid);
  std::expected<void, std::string> Result() const;
  void AddSecret(std::string_view sid, const AccountSecret& secret);

  std::unique_ptr<Database> database_;
};

}  // namespace turnpike
