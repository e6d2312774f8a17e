#include "server/api/account_directory.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/base/log.h"

namespace turnpike {
namespace {

constexpr std::chrono::seconds kLookInterval{1};

}  // namespace

AccountDirectory::AccountDirectory(std::unique_ptr<AccountDb> database)
    : database_(std::move(database)) {}

void AccountDirectory::SetConfigured(std::vector<ApiAccount> accounts) {
  const std::lock_guard lock(mutex_);
  configured_ = std::move(accounts);
  Merge();
}

std::shared_ptr<const AccountDirectory::Accounts> AccountDirectory::All(MonoTime now) {
  const std::lock_guard lock(mutex_);
  if (database_ != nullptr && (!has_looked_ || now - looked_at_ >= kLookInterval)) Refresh(now);
  return all_;
}

void AccountDirectory::Refresh(MonoTime now) {
  has_looked_ = true;
  looked_at_ = now;
  const int64_t version = database_->Version();
  if (version == version_) return;
  auto stored = database_->List();
  if (!stored) {
    Log(LogLevel::kError, "api_accounts_unreadable", {{"error", stored.error()}});
    return;
  }
  version_ = version;
  stored_ = std::move(*stored);
  Merge();
}

void AccountDirectory::Merge() {
  auto all = std::make_shared<Accounts>(configured_);
  for (const ApiAccount& account : stored_) {
    if (std::ranges::count(configured_, account.sid, &ApiAccount::sid) == 0) {
      all->push_back(account);
    }
  }
  all_ = std::move(all);
}

}  // namespace turnpike
