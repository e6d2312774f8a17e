// The chain of billing.db, whoever else writes to it, and every failure of its disk.
#include "common/metering/billing_file.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <set>

#include "tests/common/metering/billing_world.h"
#include "tests/common/metering/fault_vfs.h"

namespace turnpike {
namespace {

using metering_test::BillingWorld;
using metering_test::FaultVfs;

// Tamper runs SQL on billing.db as somebody with a shell would, without the triggers.
void Tamper(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  char* error = nullptr;
  const std::string all = "DROP TRIGGER IF EXISTS entry_frozen; DROP TRIGGER IF EXISTS entry_kept;";
  CHECK_MESSAGE(sqlite3_exec(db, (all + sql).c_str(), nullptr, nullptr, &error) == SQLITE_OK,
                error);
  sqlite3_close(db);
}

// ClosedWorld has one closed month of two accounts.
struct ClosedWorld : BillingWorld {
  std::string head;
  std::string billing = directory.file("billing.db");

  ClosedWorld() {
    Use("acme", 100, "2026-11-20");
    Use("umbrella", 50, "2026-11-21");
    Now("2026-12-05");
    head = FormatDigest(Close("2026-11")->head);
  }
};

TEST_CASE("the hash of an entry is what LEDGER.md says") {
  BillingEntry entry;
  entry.number = 7;
  entry.kind = EntryKind::kCorrection;
  entry.period = "2026-12";
  entry.original_period = "2026-11";
  entry.original = 3;
  entry.account = "acme";
  entry.region = "us1";
  entry.transport = "udp";
  entry.counts = {100, -20, 104, 0, 1, 0, 1};
  entry.actor = "eve";
  entry.reason = "why";
  entry.at = WallTime(std::chrono::microseconds(12));
  entry.as_of = WallTime(std::chrono::microseconds(5));
  entry.detail = "{}";
  const std::string text = std::string(32, '\0') +
                           "1:7,10:correction,7:2026-12,7:2026-11,1:3,4:acme,3:us1,3:udp,0:,"
                           "3:100,3:-20,3:104,1:0,1:1,1:0,1:1,3:eve,3:why,2:12,1:5,2:{},";
  CHECK(HashEntry({}, entry) == Sha256(text));
}

TEST_CASE("an entry that was changed, removed or added is named") {
  struct Row {
    const char* sql;
    const char* complaint;
  };
  for (const Row& row : std::vector<Row>{
           {"UPDATE entry SET client_to_peer_bytes = 99 WHERE number = 1",
            "chain: entry 1 (usage of 2026-11) was changed"},
           {"UPDATE entry SET account = x'6162' WHERE number = 2",
            "chain: entry 2 (usage of 2026-11) was changed"},
           {"UPDATE entry SET hash = zeroblob(32) WHERE number = 3",
            "chain: entry 3 (close of 2026-11) was changed"},
           {"UPDATE entry SET number = 9 WHERE number = 3", "chain: entry 3 is missing"},
           {"DELETE FROM entry WHERE number = 1", "chain: entry 1 is missing"},
           {"DELETE FROM entry WHERE number = 3", "chain: no entry has the hash"},
           {"INSERT INTO entry SELECT 4, kind, period, original_period, original, account, region, "
            "transport, label, 5, 5, 5, 5, 5, 5, 5, actor, reason, at, as_of, detail, hash FROM "
            "entry WHERE number = 1",
            "chain: entry 4 (usage of 2026-11) was changed"}}) {
    CAPTURE(std::string(row.sql));
    ClosedWorld world;
    CHECK(world.Verify(world.head) == "");
    Tamper(world.billing, row.sql);
    CHECK(world.Verify(world.head).starts_with(row.complaint));
  }
}

TEST_CASE("an entry of a kind that nobody knows is refused by every command, with its name") {
  ClosedWorld world;
  Tamper(world.billing,
         "PRAGMA ignore_check_constraints = 1; UPDATE entry SET kind = 'gift' WHERE number = 2");
  const std::string complaint = world.billing +
                                ": entry 2 has the unknown kind \"gift\": it was "
                                "changed by hand, or a newer release wrote it";
  CHECK(world.Verify() == complaint);
  CHECK(ListPeriods(world.request).error() == complaint);
  CHECK(CorrectPeriods(world.request).error() == complaint);
}

TEST_CASE("an entry after the close of its period is named, however well it is hashed") {
  ClosedWorld world;
  {
    const auto file = BillingFile::OpenForWriting(world.directory.path(), "");
    BillingEntry entry;
    entry.period = "2026-11";
    (*file)->Append(entry);
    CHECK((*file)->Commit());
  }
  CHECK(world.Verify() == "chain: entry 4 (usage of 2026-11) stands after the close of its period");
}

TEST_CASE("plain SQL cannot edit an entry by accident") {
  ClosedWorld world;
  for (const char* sql : {"UPDATE entry SET actor = 'x'", "DELETE FROM entry"}) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(world.billing.c_str(), &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_CONSTRAINT);
    sqlite3_close(db);
  }
  CHECK(world.Verify(world.head) == "");
}

TEST_CASE("a head that was noted down is looked for, also without a billing file") {
  ClosedWorld world;
  CHECK(world.Verify(std::string(64, '0')).starts_with("chain: no entry has the hash 000"));
  std::filesystem::remove(world.billing);
  CHECK(world.Verify(world.head).starts_with("chain: there is no "));
  CHECK(world.Verify() == "");
}

TEST_CASE("what is not a billing file is refused, and not touched") {
  ClosedWorld world;
  const auto error = [&] { return world.Close("2026-12").error(); };
  Tamper(world.billing, "PRAGMA user_version = 2");
  CHECK(error().find("billing.db has schema 2, this program knows 1") != std::string::npos);
  metering_test::WriteWhole(world.billing, std::string(5000, 'x'));
  CHECK(error().find("billing.db is damaged") != std::string::npos);
  CHECK(world.Verify().find("billing.db is damaged") != std::string::npos);
  std::filesystem::copy_file(world.directory.file("usage.db"), world.billing,
                             std::filesystem::copy_options::overwrite_existing);
  CHECK(error().find("is not a billing file of Turnpike") != std::string::npos);
}

// Deeds closes a month, books a correction and closes the next one; each may fail.
void RunDeeds(const BillingWorld& world, const std::function<void()>& after = [] {}) {
  static_cast<void>(world.Close("2026-11"));
  after();
  static_cast<void>(CorrectPeriods(world.request));
  after();
  static_cast<void>(world.Close("2026-12"));
  after();
}

// ReadyWorld can have two months closed, and has nothing closed yet.
struct ReadyWorld : BillingWorld {
  ReadyWorld() {
    Use("acme", 100, "2026-11-20");
    Use("umbrella", 50, "2026-12-21");
    Now("2027-01-05");
    request.vfs = FaultVfs::name();
  }
};

// Chains lists what billing.db may hold: what each of the deeds left.
std::set<std::string> Chains() {
  ReadyWorld world;
  FaultVfs vfs;
  std::set<std::string> chains = {""};
  RunDeeds(world, [&] { chains.insert(world.Entries()); });
  REQUIRE(chains.size() == 3);  // there was nothing to correct
  return chains;
}

TEST_CASE("one failing file operation, for every one: a deed is done whole or not at all") {
  const auto chains = Chains();
  for (const int64_t count : {1, 3, 1000}) {
    for (int64_t k = 1;; ++k) {
      CAPTURE(k);
      ReadyWorld world;
      FaultVfs vfs;
      vfs.FailAt(k, count, count == 1 ? SQLITE_IOERR : SQLITE_FULL);
      RunDeeds(world, [&] {
        const auto heal = std::exchange(world.request.vfs, "");
        CHECK(chains.contains(world.Entries()));
        world.request.vfs = heal;
      });
      const bool failed = vfs.failed();
      vfs.Heal();
      CHECK(world.Verify() == "");
      RunDeeds(world);
      CHECK(world.Entries() == *std::ranges::max_element(chains, {}, &std::string::size));
      CHECK(world.Verify() == "");
      if (!failed) {
        CHECK(k > 10);
        break;
      }
    }
  }
}

TEST_CASE("killed, or without power, before any file operation: a deed is done whole or not") {
  const auto chains = Chains();
  ReadyWorld world;
  FaultVfs vfs;
  const TempDirectory durable;  // what is synced
  const auto name = [](const std::string& path) { return path.substr(path.rfind('/')); };
  vfs.synced = [&](const std::string& path) {
    std::error_code none;
    std::filesystem::copy_file(path, durable.path() + name(path),
                               std::filesystem::copy_options::overwrite_existing, none);
  };
  vfs.removed = [&](const std::string& path) {
    std::error_code none;
    std::filesystem::remove(durable.path() + name(path), none);
  };
  int moments = 0;
  vfs.before = [&](int64_t) {
    const auto look = std::exchange(vfs.before, nullptr);
    for (const std::string& left : {world.directory.path(), durable.path()}) {
      ReadyWorld heir;
      for (const char* file : {"/billing.db", "/billing.db-journal"}) {
        if (std::filesystem::exists(left + file)) {
          std::filesystem::copy_file(left + file, heir.directory.path() + file);
        }
      }
      CHECK(chains.contains(heir.Entries()));
      CHECK(heir.Verify() == "");
      heir.request.vfs.clear();
      RunDeeds(heir);
      CHECK(heir.Entries() == *std::ranges::max_element(chains, {}, &std::string::size));
      CHECK(heir.Verify() == "");
    }
    ++moments;
    vfs.before = look;
  };
  vfs.FailAt(0, 0, SQLITE_IOERR);
  RunDeeds(world);
  CHECK(moments > 10);
}

TEST_CASE("a server's ledger has one set of books, named by its directory or by its file") {
  ClosedWorld world;
  const std::string directory = world.directory.path();
  CHECK(BillingPath(directory) == directory + "/billing.db");
  CHECK(BillingPath(directory + "/usage.db") == directory + "/billing.db");
  std::filesystem::copy_file(directory + "/usage.db", directory + "/region.db");
  CHECK(BillingPath(directory + "/region.db") == directory + "/region.billing.db");
}

}  // namespace
}  // namespace turnpike
