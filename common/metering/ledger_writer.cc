#include "common/metering/ledger_writer.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "common/metering/ledger_schema.h"
#include "common/metering/totals_sql.h"

namespace turnpike {
namespace {

// A WAL of this many pages (16 MiB) is copied back: often enough to stay small, seldom enough that
// a busy server does not sync the database at every checkpoint.
constexpr int kLongWal = 4096;

constexpr const char* kInsertSession = R"sql(
INSERT INTO session VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, 0, 0, 0, 0, 0, 0))sql";

// The first end stands: a stale slot that a power cut brought back cannot move it.
constexpr const char* kEndSession =
    "UPDATE session SET ended_at = ?, close_reason = ? WHERE key = ? AND ended_at IS NULL";

std::string_view IdBytes(const SessionId& id) {
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}

SqlText TransportText(Transport transport) { return SqlText{TransportName(transport)}; }

Sums ReadSums(const Statement& row, int first_column) {
  Sums sums{};
  for (size_t i = 0; i < sums.size(); ++i) {
    sums[i] = row.Total(first_column + static_cast<int>(i));
  }
  return sums;
}

uint64_t DroppedPackets(const SlotSnapshot& snapshot) {
  return std::accumulate(snapshot.dropped_packets.begin(), snapshot.dropped_packets.end(),
                         uint64_t{0});
}

void AddTo(Sums& sums, const Sums& more) {
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += more[i];
}

}  // namespace

std::expected<std::unique_ptr<LedgerWriter>, std::string> LedgerWriter::Open(
    const std::string& path, const std::string& vfs) {
  auto database = OpenLedgerForWriting(path, vfs);
  if (!database) return std::unexpected(database.error());
  std::unique_ptr<LedgerWriter> writer(new LedgerWriter(std::move(*database)));
  writer->database_->Exec("UPDATE meta SET state = 'open'");
  writer->LoadTotals();
  if (!writer->ok()) return std::unexpected("cannot use " + writer->error());
  return writer;
}

LedgerWriter::LedgerWriter(std::unique_ptr<Database> database)
    : database_(std::move(database)),
      find_session_(*database_, "SELECT key, ended_at IS NOT NULL, " + EachTotal() +
                                    " FROM session WHERE id = ?"),
      insert_session_(*database_, kInsertSession),
      update_session_(*database_, "UPDATE session SET " + EachTotal("$ = ?") + " WHERE key = ?"),
      end_session_(*database_, kEndSession),
      find_part_(*database_,
                 "SELECT " + EachTotal() + " FROM usage_part WHERE bucket = ? AND session = ?"),
      set_part_(*database_, "REPLACE INTO usage_part VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
      add_bucket_(*database_, GrowTotals("usage_bucket", 5, {"sessions"})),
      add_total_(*database_, GrowColumns("usage_total", 2, std::span(kTotalsColumns).first(2))),
      find_drops_(*database_,
                  "SELECT coalesce(sum(packets), 0) FROM session_drop WHERE session = ?"),
      set_drop_(*database_,
                "INSERT INTO session_drop VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
                "packets = max(packets, excluded.packets)"),
      set_meta_(*database_,
                "UPDATE meta SET as_of = ?1, created = coalesce(created, ?1), state = ?2") {
  sqlite3_wal_hook(
      database_->handle(),
      [](void* writer, sqlite3*, const char*, int pages) {
        static_cast<LedgerWriter*>(writer)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      this);
}

void LedgerWriter::LoadTotals() {
  Statement statement(*database_, "SELECT * FROM usage_total");
  while (statement.Step()) {
    totals_[{statement.Int(0), statement.Bytes(1)}] = {statement.Total(2), statement.Total(3)};
  }
  Statement names(*database_, "SELECT name, key FROM account");
  while (names.Step()) accounts_[names.Bytes(0)] = names.Int(1);
}

bool LedgerWriter::HasAll(const SlotSnapshot& snapshot) const {
  if (snapshot.slot.value() >= known_.size()) return false;
  const Known& known = known_[snapshot.slot.value()];
  return known.valid && known.id == snapshot.id && known.ended == snapshot.closed &&
         known.sums == ToSums(snapshot.totals) && known.dropped_packets == DroppedPackets(snapshot);
}

void LedgerWriter::Store(const SlotFile& slots, const SlotSnapshot& snapshot) {
  Known& known = Find(slots, snapshot);
  const auto parts = SplitUsage(snapshot, known.sums);
  for (const UsagePart& part : parts) {
    StorePart(known, part);
    AddTo(growth_[{part.bucket, known.group}].sums, part.sums);
  }
  if (!parts.empty()) {
    const Sums& s = known.sums;
    update_session_.Bind(s[0], s[1], s[2], s[3], s[4], s[5], known.session).Run();
  }
  StoreDrops(known, snapshot);
  if (!snapshot.closed || known.ended) return;
  end_session_
      .Bind(snapshot.ended_at.time_since_epoch().count(),
            SqlText{CloseReasonName(snapshot.close_reason)}, known.session)
      .Run();
  known.ended = true;
}

void LedgerWriter::StorePart(Known& known, const UsagePart& part) {
  if (part.bucket != known.bucket) {
    known.part = {};
    // A session of this connection has no part later than its last; any other may.
    if (!known.is_new || part.bucket < known.bucket) {
      if (find_part_.Bind(part.bucket.value(), known.session).Step()) {
        known.part = ReadSums(find_part_, 0);
        find_part_.Step();
      }
      known.is_new = false;
    }
    known.bucket = part.bucket;
  }
  AddTo(known.part, part.sums);
  const Sums& s = known.part;
  set_part_.Bind(part.bucket.value(), known.session, s[0], s[1], s[2], s[3], s[4], s[5]).Run();
}

LedgerWriter::Known& LedgerWriter::Find(const SlotFile& slots, const SlotSnapshot& snapshot) {
  const size_t slot = snapshot.slot.value();
  if (slot >= known_.size()) known_.resize(slot + 1);
  Known& known = known_[slot];
  if (known.valid && known.id == snapshot.id) return known;
  known = Known{};
  known.id = snapshot.id;
  Load(known, slots.ReadInfo(snapshot.slot), slots.ReadIdentity(snapshot.slot));
  known.valid = true;
  return known;
}

void LedgerWriter::Load(Known& known, const SessionInfo& info, const LedgerIdentity& identity) {
  known.group = {AccountKey(info.account), identity.region, info.transport, info.label};
  if (find_session_.Bind(IdBytes(info.id)).Step()) {
    known.session = find_session_.Int(0);
    known.ended = find_session_.Int(1) != 0;
    known.sums = ReadSums(find_session_, 2);
    find_session_.Step();
    find_drops_.Bind(known.session).Step();
    known.dropped_packets = find_drops_.Total(0);
    find_drops_.Step();
    return;
  }
  const std::string client = info.client.ToString();
  const std::string relayed = info.relayed.ToString();
  insert_session_
      .Bind(IdBytes(info.id), BootKey(identity), known.group.account, std::string_view(info.label),
            std::string_view(info.username), TransportText(info.transport), SqlText{client},
            SqlText{relayed}, info.started_at.time_since_epoch().count())
      .Run();
  known.session = sqlite3_last_insert_rowid(database_->handle());
  known.is_new = true;
  ++growth_[{BucketOf(info.started_at), known.group}].sessions;
}

void LedgerWriter::StoreDrops(Known& known, const SlotSnapshot& snapshot) {
  const uint64_t dropped = DroppedPackets(snapshot);
  if (dropped <= known.dropped_packets) return;
  known.dropped_packets = dropped;
  for (size_t i = 0; i < kDropReasonCount; ++i) {
    const uint64_t packets = snapshot.dropped_packets[i];
    if (packets == 0) continue;
    set_drop_.Bind(known.session, SqlText{DropReasonName(static_cast<DropReason>(i))}, packets)
        .Run();
  }
}

void LedgerWriter::EndOrphans(const SlotFile& slots, std::span<const SlotSnapshot> used) {
  std::set<std::string> in_slots;
  for (const SlotSnapshot& snapshot : used) {
    in_slots.emplace(IdBytes(slots.ReadInfo(snapshot.slot).id));
  }
  std::vector<std::pair<int64_t, int64_t>> orphans;  // session, end
  {
    Statement open(*database_,
                   "SELECT key, id, max(started_at, (SELECT as_of FROM meta)) FROM session "
                   "WHERE ended_at IS NULL");
    while (open.Step()) {
      if (!in_slots.contains(open.Bytes(1))) orphans.emplace_back(open.Int(0), open.Int(2));
    }
  }
  for (const auto& [session, end] : orphans) {
    end_session_.Bind(end, SqlText{CloseReasonName(CloseReason::kCrash)}, session).Run();
  }
}

void LedgerWriter::StoreBuckets() {
  for (const auto& [key, growth] : growth_) {
    const auto& [bucket, group] = key;
    const Sums& s = growth.sums;
    add_bucket_
        .Bind(bucket.value(), group.account, std::string_view(group.region),
              TransportText(group.transport), std::string_view(group.label), s[0], s[1], s[2], s[3],
              s[4], s[5], growth.sessions)
        .Run();
    if (IsZero(s)) continue;  // sessions that relayed nothing give an account no series of metrics
    add_total_.Bind(group.account, std::string_view(group.region), s[0], s[1]).Run();
    auto& total = totals_[{group.account, group.region}];
    total[0] += s[0];
    total[1] += s[1];
  }
  committed_ = std::exchange(growth_, {});
}

std::vector<AccountUsage> LedgerWriter::TakeGrowth() {
  const auto names = AccountNames();
  std::vector<AccountUsage> usage;
  for (const auto& [key, growth] : std::exchange(committed_, {})) {
    const auto& [bucket, group] = key;
    usage.push_back({std::string(names.at(group.account)),
                     {bucket, group.region, std::string(TransportName(group.transport)),
                      group.label, FromSums(growth.sums)}});
  }
  return usage;
}

void LedgerWriter::UsageSince(BucketIndex first,
                              const std::function<void(const AccountUsage&)>& visit) {
  const auto names = AccountNames();
  Statement find(*database_, "SELECT bucket, account, region, transport, label, " + EachTotal() +
                                 " FROM usage_bucket WHERE bucket >= ?");
  find.Bind(first.value());
  while (find.Step()) {
    const Sums sums = ReadSums(find, 5);
    const auto name = names.find(find.Int(1));
    visit({name == names.end() ? std::string() : std::string(name->second),
           {BucketIndex(static_cast<uint32_t>(find.Int(0))), find.Bytes(2), find.Bytes(3),
            find.Bytes(4), FromSums(sums)}});
  }
}

bool LedgerWriter::Commit(WallTime as_of, bool closing) {
  StoreBuckets();
  set_meta_.Bind(as_of.time_since_epoch().count(), SqlText{closing ? "closed" : "open"}).Run();
  database_->Exec("COMMIT");
  return ok();
}

bool LedgerWriter::MaintainWal(bool closing) {
  if (!closing && wal_pages_ < kLongWal) return true;
  const int mode = closing ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  const int code = sqlite3_wal_checkpoint_v2(database_->handle(), nullptr, mode, nullptr, nullptr);
  // A reader that is in the way is no failure: the next call tries again.
  if (code != SQLITE_OK && (code & 0xFF) != SQLITE_BUSY) {
    database_->Fail();
    return false;
  }
  // With nothing left in it, closing the connection may remove the WAL.
  if (closing && code == SQLITE_OK) {
    sqlite3_db_config(database_->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  }
  return true;
}

int64_t LedgerWriter::AccountKey(const std::string& name) {
  const auto [it, is_new] = accounts_.try_emplace(name, 0);
  if (is_new) {
    Statement insert(*database_, "INSERT INTO account VALUES (NULL, ?)");
    insert.Bind(std::string_view(name)).Run();
    it->second = sqlite3_last_insert_rowid(database_->handle());
  }
  return it->second;
}

int64_t LedgerWriter::BootKey(const LedgerIdentity& identity) {
  const auto [it, is_new] = boots_.try_emplace(identity.boot, 0);
  if (!is_new) return it->second;
  Statement insert(*database_,
                   "INSERT INTO boot(id, node, region, edge) VALUES (?, ?, ?, ?) "
                   "ON CONFLICT DO NOTHING");
  insert
      .Bind(IdBytes(identity.boot), std::string_view(identity.node),
            std::string_view(identity.region), std::string_view(identity.edge))
      .Run();
  Statement find(*database_, "SELECT key FROM boot WHERE id = ?");
  if (find.Bind(IdBytes(identity.boot)).Step()) it->second = find.Int(0);
  return it->second;
}

std::map<int64_t, std::string_view> LedgerWriter::AccountNames() const {
  std::map<int64_t, std::string_view> names;
  for (const auto& [name, key] : accounts_) names[key] = name;
  return names;
}

std::vector<BillableTotal> LedgerWriter::Totals() const {
  auto names = AccountNames();
  std::vector<BillableTotal> totals;
  totals.reserve(totals_.size());
  for (const auto& [key, bytes] : totals_) {
    totals.push_back({std::string(names[key.first]), key.second, bytes});
  }
  return totals;
}

}  // namespace turnpike
