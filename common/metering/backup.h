// Copies of a ledger that is in use.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/base/time.h"
#include "common/metering/sqlite.h"

namespace turnpike {

// LedgerBackup copies a database page by page through SQLite's backup interface, into
// `FILE.part`, and gives it the name FILE once it is whole and on the disk: FILE is never a part of
// a copy, and stays the one before when a copy fails. It does not need the WAL of its source.
//
// The copy is the database as of one commit. What the source's own connection commits meanwhile is
// in it; another process's commit would begin the copy anew, so a reader keeps its transaction open
// from Begin to the end. One thread, that of the source.
class LedgerBackup {
 public:
  // Begin opens the copy. `source` must outlive it. It fails with a sentence that names the file.
  static std::expected<std::unique_ptr<LedgerBackup>, std::string> Begin(Database& source,
                                                                         const std::string& file);
  // Without a last Step, nothing is left of the copy.
  ~LedgerBackup();
  LedgerBackup(const LedgerBackup&) = delete;
  LedgerBackup& operator=(const LedgerBackup&) = delete;

  // Step copies up to `pages` pages, or all that are left (-1). It returns true when the copy is
  // whole and has its name; call it no more then. It fails with a sentence that names the file.
  std::expected<bool, std::string> Step(int pages);

  // percent says how much is copied.
  int percent() const;

 private:
  LedgerBackup(std::unique_ptr<Database> copy, std::string file)
      : copy_(std::move(copy)), file_(std::move(file)) {}
  std::expected<void, std::string> Finish();

  std::unique_ptr<Database> copy_;
  std::string file_;
  sqlite3_backup* backup_ = nullptr;
};

// BackUpBooks copies the billing file of `ledger` to `directory`/billing.db; false when nothing was
// closed yet. Do it before the copy of the ledger ends: the ledger then has all that the books say.
std::expected<bool, std::string> BackUpBooks(const std::string& ledger,
                                             const std::string& directory);

// CheckBackupDirectory says why `directory` cannot take the copies of `ledger`: it must exist, and
// be no server's metering directory.
std::expected<void, std::string> CheckBackupDirectory(const std::string& directory);

// LastBackup returns when the copy of a ledger in `directory` was written; nullopt: there is none.
std::optional<WallTime> LastBackup(const std::string& directory);

}  // namespace turnpike
