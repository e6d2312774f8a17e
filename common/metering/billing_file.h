// billing.db: what was closed, and every correction since, as one chain of hashed entries. Only the
// finance commands write it; it lies beside usage.db, which keeps the server its only writer.
// LEDGER.md describes it.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/sha256.h"
#include "common/base/time.h"
#include "common/metering/sqlite.h"

namespace turnpike {

// EntryKind says what an entry freezes.
enum class EntryKind : uint8_t {
  kUsage,       // usage of one account, region, transport and label in a period
  kCorrection,  // what such usage grew by after its period was closed
  // A rated line of an account's invoice; `detail` holds it. With an original period it prices
  // what was corrected there.
  kInvoice,
  // The end of a period: entries of it that come before this one are its whole, but for invoices
  // of a month that was closed without rates.
  kClose,
};
inline constexpr int kEntryKindCount = 4;

// EntryKindName returns the lower case name without the k.
std::string_view EntryKindName(EntryKind kind);

// BilledCounts are the six totals, in the order of Sums, and how many sessions started. A
// correction may take something back.
using BilledCounts = std::array<int64_t, 7>;

// BillingEntry is one row. An entry that has no use for a field leaves it empty.
struct BillingEntry {
  int64_t number = 0;  // from 1, without a gap
  EntryKind kind = EntryKind::kUsage;
  std::string period;           // 2026-11: where it is billed
  std::string original_period;  // of a correction, or its price: where the usage happened
  int64_t original = 0;         // of a correction: the entry it corrects; 0 when there was none
  std::string account;          // the four names are bytes from outside
  std::string region;
  std::string transport;
  std::string label;
  BilledCounts counts{};
  std::string actor;   // who did it
  std::string reason;  // why, for people
  WallTime at{};       // when
  WallTime as_of{};    // what the ledger was complete up to
  std::string detail;  // JSON
  Sha256Digest hash{};
};

// HashEntry is SHA-256 over the hash of the entry before (32 zero bytes for the first) and every
// field but `hash`, in the order of the columns, each as `<length in decimal>:<bytes>,`.
Sha256Digest HashEntry(const Sha256Digest& previous, const BillingEntry& entry);

// BillingPath is where the billing file of a ledger lies: `billing.db` in a metering directory,
// `x.billing.db` beside a ledger file `x.db`.
std::string BillingPath(const std::string& ledger);

// BillingFile is an open billing.db. One thread.
class BillingFile {
 public:
  // OpenForWriting opens the file, creates it when it is missing, and begins the transaction of one
  // command: a second writer waits, then fails. Nothing is kept unless Commit succeeds. `vfs` is
  // for tests. It fails with a sentence that names the file and the remedy.
  static std::expected<std::unique_ptr<BillingFile>, std::string> OpenForWriting(
      const std::string& ledger, const std::string& vfs);

  // OpenForReading returns null when there is no file: nothing was closed yet.
  static std::expected<std::unique_ptr<BillingFile>, std::string> OpenForReading(
      const std::string& ledger);

  // Append numbers, hashes and writes an entry, and returns its number.
  int64_t Append(BillingEntry entry);

  // Commit ends the transaction. On false, see database().error().
  bool Commit();

  // Walk calls `visit` with each entry in order until it returns false.
  void Walk(const std::function<bool(const BillingEntry&)>& visit);

  // head is the hash of the newest entry; zeros when there is none.
  const Sha256Digest& head() const { return head_; }

  Database& database() { return *database_; }

 private:
  explicit BillingFile(std::unique_ptr<Database> database) : database_(std::move(database)) {}
  static std::expected<std::unique_ptr<BillingFile>, std::string> Open(const std::string& path,
                                                                       int flags,
                                                                       const std::string& vfs);
  static std::expected<std::unique_ptr<BillingFile>, std::string> Check(
      std::unique_ptr<BillingFile> file);
  void LoadHead();

  std::unique_ptr<Database> database_;
  int64_t last_number_ = 0;
  Sha256Digest head_{};
};

}  // namespace turnpike
