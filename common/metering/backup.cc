#include "common/metering/backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "common/metering/billing_file.h"
#include "common/metering/file.h"
#include "common/metering/ledger_schema.h"

namespace turnpike {
namespace {

std::string PartOf(const std::string& file) { return file + ".part"; }

void RemovePart(const std::string& file) {
  for (const char* end : {"", "-journal", "-wal", "-shm"}) unlink((PartOf(file) + end).c_str());
}

std::expected<void, std::string> Sync(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0 || fsync(file.get()) != 0) {
    return std::unexpected(SystemError("cannot sync", path, errno));
  }
  return {};
}

}  // namespace

std::expected<std::unique_ptr<LedgerBackup>, std::string> LedgerBackup::Begin(
    Database& source, const std::string& file) {
  RemovePart(file);
  auto copy = Database::Open(PartOf(file), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "");
  if (!copy) {
    return std::unexpected("cannot write " + PartOf(file) +
                           ": its directory must exist and be writable for this user");
  }
  (*copy)->Exec("PRAGMA synchronous = FULL");
  std::unique_ptr<LedgerBackup> backup(new LedgerBackup(std::move(*copy), file));
  backup->backup_ = sqlite3_backup_init(backup->copy_->handle(), "main", source.handle(), "main");
  if (backup->backup_ == nullptr) backup->copy_->Fail();
  if (!backup->copy_->ok()) return std::unexpected("cannot write " + backup->copy_->error());
  return backup;
}

LedgerBackup::~LedgerBackup() {
  if (backup_ != nullptr) sqlite3_backup_finish(backup_);
  if (copy_ == nullptr) return;
  copy_.reset();
  RemovePart(file_);
}

std::expected<bool, std::string> LedgerBackup::Step(int pages) {
  const int code = sqlite3_backup_step(backup_, pages);
  // Somebody else's lock on the source is over soon.
  if (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED) return false;
  if (code != SQLITE_DONE) {
    return std::unexpected("cannot copy to " + PartOf(file_) + ": " + sqlite3_errstr(code));
  }
  if (auto ok = Finish(); !ok) return std::unexpected(ok.error());
  return true;
}

std::expected<void, std::string> LedgerBackup::Finish() {
  if (sqlite3_backup_finish(std::exchange(backup_, nullptr)) != SQLITE_OK) copy_->Fail();
  // One file that is whole without a WAL.
  copy_->Exec("PRAGMA journal_mode = DELETE");
  if (!copy_->ok()) return std::unexpected("cannot write " + copy_->error());
  copy_.reset();
  if (auto ok = Sync(PartOf(file_)); !ok) return ok;
  // A WAL that belonged to the copy before would be taken for one of this copy.
  for (const char* end : {"-wal", "-shm"}) unlink((file_ + end).c_str());
  if (rename(PartOf(file_).c_str(), file_.c_str()) != 0) {
    return std::unexpected(SystemError("cannot rename to", file_, errno));
  }
  return Sync(std::filesystem::absolute(file_).parent_path());
}

int LedgerBackup::percent() const {
  const int pages = sqlite3_backup_pagecount(backup_);
  return pages == 0 ? 0 : 100 - static_cast<int>(100LL * sqlite3_backup_remaining(backup_) / pages);
}

std::expected<bool, std::string> BackUpBooks(const std::string& ledger,
                                             const std::string& directory) {
  const auto books = BillingFile::OpenForReading(ledger);
  if (!books) return std::unexpected(books.error());
  if (*books == nullptr) return false;
  auto backup = LedgerBackup::Begin((*books)->database(), directory + "/billing.db");
  if (!backup) return std::unexpected(backup.error());
  for (;;) {
    const auto done = (*backup)->Step(-1);
    if (!done) return std::unexpected(done.error());
    if (*done) return true;
  }
}

std::expected<void, std::string> CheckBackupDirectory(const std::string& directory) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored)) {
    return std::unexpected(directory + " is no directory: make it first");
  }
  if (std::filesystem::exists(directory + "/live.slots", ignored) ||
      std::filesystem::exists(directory + "/usage.lock", ignored)) {
    return std::unexpected(directory +
                           " is a server's metering directory: a backup needs one of its own");
  }
  return {};
}

std::optional<WallTime> LastBackup(const std::string& directory) {
  struct stat status{};
  if (stat(LedgerPath(directory).c_str(), &status) != 0) return std::nullopt;
  return WallTime(std::chrono::seconds(status.st_mtim.tv_sec));
}

}  // namespace turnpike
