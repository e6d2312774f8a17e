// All accounts: those of the configuration, and those of the database.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/accounts/account_db.h"
#include "common/base/time.h"

namespace turnpike {

// AccountDirectory answers from memory and looks once a second whether the database has changed.
// An account of the configuration wins over one of the database with its SID. Any thread.
class AccountDirectory {
 public:
  // `database` may be null: there is none.
  explicit AccountDirectory(std::unique_ptr<AccountDb> database);

  // SetConfigured replaces the accounts of the configuration.
  void SetConfigured(std::vector<ApiAccount> accounts);

  using Accounts = std::vector<ApiAccount>;

  // All returns every account as it was at most a second ago. When the database cannot be read, the
  // accounts stay as they were, and the log says so.
  std::shared_ptr<const Accounts> All(MonoTime now);

 private:
  void Refresh(MonoTime now);
  void Merge();

  std::mutex mutex_;
  std::unique_ptr<AccountDb> database_;
  int64_t version_ = -1;  // of the database; no version is negative
  MonoTime looked_at_{};
  bool has_looked_ = false;
  Accounts configured_;
  Accounts stored_;
  std::shared_ptr<const Accounts> all_ = std::make_shared<Accounts>();
};

}  // namespace turnpike
