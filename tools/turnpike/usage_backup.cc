// `turnpike usage backup`: a copy of a ledger and its books, beside a running server.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "common/base/time.h"
#include "common/metering/backup.h"
#include "common/metering/ledger_schema.h"
#include "tools/turnpike/usage_commands.h"
#include "tools/turnpike/usage_common.h"

namespace turnpike {
namespace {

struct BackupOptions {
  std::string ledger;
  std::string output;
};

// CopyLedger copies all of `source` within one read transaction.
std::expected<void, std::string> CopyLedger(Database& source, const std::string& file) {
  constexpr int kPages = 4096;
  const bool is_watched = isatty(STDERR_FILENO) != 0;
  auto backup = LedgerBackup::Begin(source, file);
  if (!backup) return std::unexpected(backup.error());
  for (;;) {
    const auto done = (*backup)->Step(kPages);
    if (is_watched) std::cerr << "\r\033[K";
    if (!done) return std::unexpected(done.error());
    if (*done) return {};
    if (is_watched) std::cerr << "copying " << (*backup)->percent() << " %" << std::flush;
  }
}

int RunBackup(const BackupOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.output, error);
  if (auto ok = CheckBackupDirectory(options.output); !ok) return Complain(ok.error());
  // The books first: the ledger only grows, so that its copy has all that they say.
  const auto books = BackUpBooks(options.ledger, options.output);
  if (!books) return Complain(books.error());
  const auto source = OpenLedgerForReading(options.ledger);
  if (!source) return Complain(source.error());
  (*source)->Exec("BEGIN");
  const WallTime as_of(
      std::chrono::microseconds((*source)->QueryInt("SELECT as_of FROM main.meta")));
  if (!(*source)->ok()) return Complain("cannot read " + (*source)->error());
  const std::string file = LedgerPath(options.output);
  if (auto ok = CopyLedger(**source, file); !ok) return Complain(ok.error());
  std::cout << file << ": " << std::filesystem::file_size(file, error)
            << " bytes\nas of: " << FormatRfc3339(as_of)
            << (*books ? ", with the books of closed months\n" : ", no month was closed yet\n");
  return Finish();
}

}  // namespace

void AddBackupCommand(CLI::App& usage, int* exit_status) {
  const auto options = std::make_shared<BackupOptions>();
  CLI::App* const backup = usage.add_subcommand(
      "backup", "Copy a ledger and the books of closed months, also beside a running server");
  AddLedgerOption(*backup, options->ledger);
  backup
      ->add_option("-o,--output", options->output,
                   "A directory of its own, which every command then reads as --ledger; what an "
                   "earlier backup left there is replaced once the new one is whole")
      ->type_name("DIRECTORY")
      ->required();
  backup->callback([options, exit_status] { *exit_status = RunBackup(*options); });
}

}  // namespace turnpike
