// What a usage.db is: its tables, how one is recognised, created and opened. LEDGER.md describes
// it.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "common/metering/sqlite.h"

namespace turnpike {

inline constexpr uint32_t kLedgerApplicationId = 0x54504C47;  // "TPLG"
inline constexpr int64_t kLedgerSchemaVersion = 2;

// LedgerPath is the ledger within the metering directory.
std::string LedgerPath(const std::string& directory);

// OpenLedgerForWriting opens `path`, creates the tables in an empty file, checks an existing one,
// brings an older schema up to date, and carries over what its WAL holds. It fails with a sentence
// that names the file and the remedy.
std::expected<std::unique_ptr<Database>, std::string> OpenLedgerForWriting(const std::string& path,
                                                                           const std::string& vfs);

// SaysDamaged says whether OpenLedgerForWriting failed with `error` since the file is no sound
// database, whatever its permissions: no later attempt could succeed.
bool SaysDamaged(std::string_view error);

// OpenLedgerForReading opens a ledger beside a running server: `ledger` is the server's metering
// directory, or a file. It writes nothing, and never checkpoints. A file of an older schema reads
// as if it had the present one. It fails with a sentence that names the file and the remedy.
std::expected<std::unique_ptr<Database>, std::string> OpenLedgerForReading(
    const std::string& ledger);

}  // namespace turnpike
