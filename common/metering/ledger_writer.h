// One connection of the ledger's writer: its statements and what it knows to be stored. After any
// failure the whole object is thrown away, and with it every assumption about the file.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/metering/ledger.h"
#include "common/metering/slots.h"
#include "common/metering/split.h"
#include "common/metering/sqlite.h"

namespace turnpike {

// LedgerWriter turns snapshots into rows. Its caches hold what the open transaction has written:
// they are right once it is committed, and gone if it is not.
class LedgerWriter {
 public:
  // Open opens the file and marks it open. It fails with a sentence.
  static std::expected<std::unique_ptr<LedgerWriter>, std::string> Open(const std::string& path,
                                                                        const std::string& vfs);

  // ok and error are those of the connection: look once, before Commit.
  bool ok() const { return database_->ok(); }
  const std::string& error() const { return database_->error(); }

  void Begin() { database_->Exec("BEGIN IMMEDIATE"); }

  // HasAll says that everything in `snapshot` is stored.
  bool HasAll(const SlotSnapshot& snapshot) const;

  // Store writes the session of `snapshot`: its record, its parts, and what the buckets grow by.
  void Store(const SlotFile& slots, const SlotSnapshot& snapshot);

  // EndOrphans closes sessions that are open in the ledger and in none of `slots`, as of the
  // previous checkpoint.
  void EndOrphans(const SlotFile& slots, std::span<const SlotSnapshot> used);

  // Commit writes the buckets and the state of the ledger, and commits. On false, see error().
  bool Commit(WallTime as_of, bool closing);

  // database is the connection, for work that is no part of a checkpoint (ledger_retention.h).
  Database& database() { return *database_; }

  // MaintainWal copies a long WAL back into the database, and empties it at the end when `closing`.
  // This is the only place that checkpoints, on the only connection that does. False on failure;
  // what was committed stays committed.
  bool MaintainWal(bool closing);

  // TakeGrowth returns what the last commit added to the buckets, once.
  std::vector<AccountUsage> TakeGrowth();

  // UsageSince reads the buckets from `first` on; look at ok().
  void UsageSince(BucketIndex first, const std::function<void(const AccountUsage&)>& visit);

  // Totals lists the sums per account and region, by account in the order of first appearance. They
  // are committed ones only outside of a transaction.
  std::vector<BillableTotal> Totals() const;

 private:
  explicit LedgerWriter(std::unique_ptr<Database> database);

  // Group is what usage_bucket is keyed by, without the bucket.
  struct Group {
    int64_t account = 0;
    std::string region;
    Transport transport = Transport::kUdp;
    std::string label;
    auto operator<=>(const Group&) const = default;
  };

  // Growth is what a row of usage_bucket grows by.
  struct Growth {
    Sums sums{};
    uint64_t sessions = 0;  // that started in the bucket
  };

  // Known is what is stored of the session that has a slot.
  struct Known {
    SessionId id{};
    int64_t session = 0;
    Sums sums{};
    // What its part in `bucket` holds: rows are written whole, which costs SQLite half of adding.
    Sums part{};
    uint64_t dropped_packets = 0;  // of all reasons: each only grows
    Group group;
    BucketIndex bucket{0};
    bool valid = false;
    bool ended = false;
    bool is_new = false;  // this connection inserted it, and wrote each part later than the last
  };

  void LoadTotals();
  // Find returns what is known of the snapshot's session, after reading or inserting it.
  Known& Find(const SlotFile& slots, const SlotSnapshot& snapshot);
  void Load(Known& known, const SessionInfo& info, const LedgerIdentity& identity);
  // StorePart adds to the part of one bucket.
  void StorePart(Known& known, const UsagePart& part);
  void StoreDrops(Known& known, const SlotSnapshot& snapshot);
  void StoreBuckets();
  int64_t AccountKey(const std::string& name);
  std::map<int64_t, std::string_view> AccountNames() const;
  int64_t BootKey(const LedgerIdentity& identity);

  std::unique_ptr<Database> database_;
  Statement find_session_;
  Statement insert_session_;
  Statement update_session_;
  Statement end_session_;
  Statement find_part_;
  Statement set_part_;
  Statement add_bucket_;
  Statement add_total_;
  Statement find_drops_;
  Statement set_drop_;
  Statement set_meta_;

  std::vector<Known> known_;  // by slot
  std::map<std::string, int64_t> accounts_;
  std::map<SessionId, int64_t> boots_;
  std::map<std::pair<BucketIndex, Group>, Growth> growth_;     // in this transaction
  std::map<std::pair<BucketIndex, Group>, Growth> committed_;  // growth of the last commit
  std::map<std::pair<int64_t, std::string>, std::array<uint64_t, kDirectionCount>> totals_;
  int wal_pages_ = 0;
};

}  // namespace turnpike
