#include "common/metering/merge.h"

#include <doctest/doctest.h>

#include "common/metering/report.h"
#include "tests/common/metering/billing_world.h"
#include "tests/common/metering/fault_vfs.h"
#include "tests/common/metering/ledger_v1.h"
#include "tests/support/seeded_random.h"

namespace turnpike {
namespace {

using metering_test::BillingWorld;
using metering_test::FaultVfs;
using metering_test::World;
using std::chrono::minutes;

// Dump renders everything a merged file holds, by names instead of keys.
std::string Dump(const std::string& path) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK);
  std::string text;
  const std::string six =
      "x.client_to_peer_bytes, x.peer_to_client_bytes, x.client_to_peer_wire_bytes, "
      "x.peer_to_client_wire_bytes, x.client_to_peer_packets, x.peer_to_client_packets";
  for (const std::string& sql : std::vector<std::string>{
           "SELECT as_of, state FROM meta", "SELECT * FROM merged_ledger ORDER BY 1",
           "SELECT hex(id), node, region, edge, pruned_before FROM boot ORDER BY 1",
           "SELECT bucket, hex(boot.id), name, transport, label, sessions, " + six +
               " FROM usage_pruned x JOIN boot ON boot.key = boot JOIN account ON account.key = "
               "account ORDER BY 1, 2, 3, 4, 5",
           "SELECT hex(x.id), hex(boot.id), name, label, username, transport, client_address, "
           "relayed_address, started_at, ended_at, close_reason, " +
               six +
               " FROM session x JOIN boot ON boot.key = boot JOIN account ON account.key = "
               "account ORDER BY 1",
           std::string("SELECT hex(id), reason, packets FROM session_drop JOIN session ON key = "
                       "session ORDER BY 1, 2"),
           "SELECT bucket, hex(id), " + six +
               " FROM usage_part x JOIN session ON key = session ORDER BY 1, 2",
           "SELECT bucket, name, region, transport, label, sessions, " + six +
               " FROM usage_bucket x JOIN account ON key = account ORDER BY 1, 2, 3, 4, 5",
           std::string("SELECT name, region, client_to_peer_bytes, peer_to_client_bytes FROM "
                       "usage_total JOIN account ON key = account ORDER BY 1, 2")}) {
    sqlite3_stmt* rows = nullptr;
    REQUIRE_MESSAGE(sqlite3_prepare_v2(db, sql.c_str(), -1, &rows, nullptr) == SQLITE_OK,
                    sqlite3_errmsg(db));
    while (sqlite3_step(rows) == SQLITE_ROW) {
      for (int i = 0; i < sqlite3_column_count(rows); ++i) {
        const auto* cell = reinterpret_cast<const char*>(sqlite3_column_text(rows, i));
        text += (cell == nullptr ? "NULL" : cell) + std::string("|");
      }
      text += "\n";
    }
    sqlite3_finalize(rows);
  }
  sqlite3_close(db);
  return text;
}

// Fleet is three nodes in two regions, with a copy of each ledger now and then.
struct Fleet {
  TempDirectory directory;
  std::vector<std::string> copies;  // the last of each node is the newest
  std::vector<std::string> newest;
  World::Expected expected;

  struct Empty {};
  explicit Fleet(Empty) {}
  Fleet() {
    for (uint8_t node = 0; node < 3; ++node) Run(node);
  }

  void Run(uint8_t node) {
    SeededRandom random(node + 1);
    const TempDirectory home;
    World world(home.path());
    world.identity.node = "relay-" + std::to_string(node);
    world.identity.region = node == 2 ? "de1" : "us1";
    world.identity.boot[0] = static_cast<uint8_t>(node + 1);
    // Ids of sessions must differ between nodes, as random ones do.
    world.now += std::chrono::milliseconds(node);
    for (int life = 0; life < 2; ++life) {
      world.Start();
      for (int step = 0; step < 12; ++step) {
        const SlotId slot = world.Begin(step % 3 == 0 ? "acme" : "umbrella");
        for (const auto& [open, session] : world.sessions) {
          world.Relay(open, Direction::kClientToPeer, 1 + Draw(random, 1000));
          world.sessions.at(open).first.AddDrop(DropReason::kNoChannel);
        }
        if (step % 4 == 1) world.End(slot);
        world.now += minutes(7 + node);
        world.Checkpoint();
        if (step % 5 == 4) Copy(home.path(), node);
      }
      world.Die();
    }
    world.Start();
    world.Checkpoint();
    Copy(home.path(), node);
    newest.push_back(copies.back());
    for (const auto& [key, bytes] : world.expected) {
      expected[key][0] += bytes[0];
      expected[key][1] += bytes[1];
    }
  }

  // Draw returns a number below `limit`.
  static uint64_t Draw(SeededRandom& random, uint64_t limit) {
    std::array<uint8_t, 8> bytes{};
    random.Fill(bytes);
    uint64_t value = 0;
    for (const uint8_t byte : bytes) value = value << 8 | byte;
    return value % limit;
  }

  void Copy(const std::string& home, int node) {
    const std::string to =
        directory.file("node" + std::to_string(node) + "-" + std::to_string(copies.size()));
    std::filesystem::create_directory(to);
    metering_test::CopyMetering(home, to);
    copies.push_back(to);
  }

  std::expected<MergeReport, std::string> Merge(std::vector<std::string> sources,
                                                const std::string& name) const {
    MergeOptions options;
    options.sources = std::move(sources);
    options.output = directory.file(name);
    return MergeLedgers(options);
  }
};

TEST_CASE("merging nodes adds them up to the byte, in any order, any number of times") {
  const Fleet fleet;
  const auto merged = fleet.Merge(fleet.newest, "region.db");
  REQUIRE_MESSAGE(merged, merged.error());
  CHECK(merged->ledgers == 3);
  CHECK(merged->sessions == 72);
  CHECK(merged->new_sessions == 72);
  const std::string region = fleet.directory.file("region.db");
  CHECK(BillingWorld::VerifyFile(region) == "");
  const std::string want = Dump(region);
  // What the accountant counted is what a report says.
  uint64_t sum = 0;
  for (const auto& [key, bytes] : fleet.expected) sum += bytes[0] + bytes[1];
  CHECK(merged->billable_bytes == sum);
  const auto report = UsageReport({region, {}, {ReportKey::kAccount}});
  REQUIRE(report);
  uint64_t reported = 0;
  for (const ReportRow& row : report->rows) reported += row.totals.billable_bytes();
  CHECK(reported == sum);
  CHECK(fleet.Merge({fleet.newest[1]}, "region.db")->new_sessions == 0);
  CHECK(Dump(region) == want);

  SeededRandom random(7);
  for (int round = 0; round < 25; ++round) {
    CAPTURE(round);
    const std::string name = "round" + std::to_string(round) + ".db";
    // Every newest copy, and any of the others, in several merges, in any order.
    std::vector<std::string> all = fleet.newest;
    for (int i = 0; i < 6; ++i) {
      all.push_back(fleet.copies[Fleet::Draw(random, fleet.copies.size())]);
    }
    for (size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[Fleet::Draw(random, i)]);
    const size_t cut = 1 + Fleet::Draw(random, all.size() - 1);
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(cut);
    REQUIRE(fleet.Merge({all.begin(), middle}, name));
    CHECK(BillingWorld::VerifyFile(fleet.directory.file(name)) == "");
    REQUIRE(fleet.Merge({middle, all.end()}, name));
    CHECK(Dump(fleet.directory.file(name)) == want);
  }
}

TEST_CASE("merged files merge like nodes do, and ledgers of schema 1 too") {
  const Fleet fleet;
  REQUIRE(fleet.Merge(fleet.newest, "region.db"));
  const std::string want = Dump(fleet.directory.file("region.db"));
  REQUIRE(fleet.Merge({fleet.newest[2], fleet.newest[0]}, "part.db"));
  REQUIRE(fleet.Merge({fleet.newest[1], fleet.copies[0]}, "rest.db"));
  const std::string part = fleet.directory.file("part.db");
  REQUIRE(fleet.Merge({part, fleet.directory.file("rest.db"), part}, "tree.db"));
  CHECK(Dump(fleet.directory.file("tree.db")) == want);
  metering_test::MakeVersion1(fleet.newest[0] + "/usage.db", fleet.directory.file("old.db"));
  REQUIRE(fleet.Merge({fleet.directory.file("old.db"), fleet.newest[1], fleet.newest[2]}, "v1.db"));
  CHECK(Dump(fleet.directory.file("v1.db")) == want);
}

TEST_CASE("gaps are named by node and boot") {
  const Fleet fleet;
  MergeOptions options;
  options.sources = {fleet.copies.front(), fleet.newest[1]};
  options.output = fleet.directory.file("region.db");
  options.nodes = {"relay-0", "relay-9"};
  const auto merged = MergeLedgers(options);
  REQUIRE(merged);
  std::string text;
  for (const MergeGap& gap : merged->gaps) {
    text += gap.node + (gap.boot.empty() ? "" : " boot") + ": " + gap.text + "\n";
  }
  CHECK(text ==
        "relay-0: its ledger is complete up to 2026-11-20T12:35:00Z only, the newest up to "
        "2026-11-20T15:12:00.001000Z\n"
        "relay-0 boot: 4 sessions were not over: merge a newer copy\n"
        "relay-1 boot: 9 sessions ended with a crash: after a power cut, the last checkpoint "
        "interval of them may be missing\n"
        "relay-1 boot: 9 sessions ended with a crash: after a power cut, the last checkpoint "
        "interval of them may be missing\n"
        "relay-9: none of its ledgers was merged\n");
  CHECK(FormatRfc3339(merged->as_of) == "2026-11-20T12:35:00Z");
  CHECK(!merged->is_closed);
}

// Shuffled draws copies of every kind: each merge of them, in any order, has every one.
std::vector<std::string> Shuffled(SeededRandom& random, const std::vector<std::string>& all) {
  std::vector<std::string> order = all;
  for (int i = 0; i < 3; ++i) order.push_back(all[Fleet::Draw(random, all.size())]);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[Fleet::Draw(random, i)]);
  return order;
}

TEST_CASE("a ledger that was lost and begun anew from the slots counts no byte twice") {
  for (const uint64_t seed : {uint64_t{1}, uint64_t{2}}) {
    CAPTURE(seed);
    SeededRandom random(seed);
    Fleet fleet(Fleet::Empty{});
    const TempDirectory home;
    World world(home.path());
    world.Start();
    uint64_t relayed = 0;
    std::vector<SlotId> open;
    for (int step = 0; step < 40; ++step) {
      if (open.size() < 5) open.push_back(world.Begin(step % 3 == 0 ? "acme" : "umbrella"));
      for (const SlotId slot : open) {
        const uint64_t bytes = Fleet::Draw(random, 1000);
        relayed += bytes;
        if (bytes > 0) world.Relay(slot, Direction::kClientToPeer, bytes);
      }
      world.now += minutes(Fleet::Draw(random, 25));
      // Some checkpoints are far apart: the split then follows the boundaries in the slots.
      if (Fleet::Draw(random, 3) == 0) world.Checkpoint();
      if (Fleet::Draw(random, 4) == 0) {
        world.End(open.back());
        open.pop_back();
      }
      if (step % 13 == 12) {
        // Whatever ended is in the ledger that goes, and in its last copy.
        world.Checkpoint();
        fleet.Copy(home.path(), 0);
        world.ledger.reset();
        for (const char* name : {"/usage.db", "/usage.db-wal", "/usage.db-shm"}) {
          std::filesystem::remove(home.path() + name);
        }
        auto anew = Ledger::Open(home.path(), world.identity);
        REQUIRE(anew);
        world.ledger = std::move(*anew);
      }
    }
    world.Checkpoint();
    fleet.Copy(home.path(), 0);
    const auto first = fleet.Merge(fleet.copies, "first.db");
    REQUIRE(first);
    CHECK(first->billable_bytes == relayed);
    CHECK(BillingWorld::VerifyFile(fleet.directory.file("first.db")) == "");
    const std::string want = Dump(fleet.directory.file("first.db"));
    for (int round = 0; round < 3; ++round) {
      const auto order = Shuffled(random, fleet.copies);
      const auto middle =
          order.begin() + 1 + static_cast<std::ptrdiff_t>(Fleet::Draw(random, order.size() - 1));
      const std::string name = "round" + std::to_string(round) + ".db";
      REQUIRE(fleet.Merge({order.begin(), middle}, name));
      REQUIRE(fleet.Merge({middle, order.end()}, name));
      CHECK(Dump(fleet.directory.file(name)) == want);
    }
  }
}

TEST_CASE("copies from before and after sessions were forgotten add up to the same sums") {
  Fleet fleet(Fleet::Empty{});
  const TempDirectory home;
  World world(home.path());
  world.Start();
  SeededRandom random(5);
  uint64_t relayed = 0;
  for (int step = 0; step < 60; ++step) {
    const SlotId slot = world.Begin(step % 2 == 0 ? "acme" : "umbrella");
    for (const auto& [open, session] : world.sessions) {
      const uint64_t bytes = 1 + Fleet::Draw(random, 1000);
      relayed += bytes;
      world.Relay(open, Direction::kPeerToClient, bytes);
    }
    world.now += std::chrono::hours(17);
    world.Checkpoint();
    if (step % 12 == 6) fleet.Copy(home.path(), 0);
    world.End(step % 3 == 2 ? world.sessions.begin()->first : slot);
    world.Checkpoint();
    REQUIRE(world.ledger->Forget(world.now, world.now - std::chrono::hours(24 * 14)));
    CHECK(BillingWorld::VerifyFile(home.path()) == "");
  }
  fleet.Copy(home.path(), 0);
  CHECK(metering_test::QueryOne(home.path(), "SELECT count(*) > 10 FROM usage_pruned") == "1");
  const auto newest = fleet.Merge({fleet.copies.back()}, "newest.db");
  REQUIRE(newest);
  CHECK(newest->billable_bytes == relayed);
  const auto all = fleet.Merge(fleet.copies, "all.db");
  REQUIRE(all);
  CHECK(all->billable_bytes == relayed);
  CHECK(BillingWorld::VerifyFile(fleet.directory.file("all.db")) == "");
  const std::string want = Dump(fleet.directory.file("all.db"));
  for (int round = 0; round < 3; ++round) {
    CAPTURE(round);
    const auto order = Shuffled(random, fleet.copies);
    const std::string name = "round" + std::to_string(round) + ".db";
    for (const std::string& copy : order) REQUIRE(fleet.Merge({copy}, name));
    CHECK(BillingWorld::VerifyFile(fleet.directory.file(name)) == "");
    CHECK(Dump(fleet.directory.file(name)) == want);
  }
  // Reports of the newest ledger and of all copies say the same, to the bucket and the edge.
  for (const ReportKey key : {ReportKey::kDay, ReportKey::kEdge, ReportKey::kLabel}) {
    const auto a = UsageReport({home.path(), {}, {ReportKey::kAccount, key}});
    const auto b = UsageReport({fleet.directory.file("all.db"), {}, {ReportKey::kAccount, key}});
    REQUIRE(a);
    REQUIRE(b);
    REQUIRE(a->rows.size() == b->rows.size());
    for (size_t i = 0; i < a->rows.size(); ++i) {
      CHECK(a->rows[i].totals.billable_bytes() == b->rows[i].totals.billable_bytes());
      CHECK(a->rows[i].sessions == b->rows[i].sessions);
    }
  }
}

TEST_CASE("what a merge must not write is refused and not touched") {
  const Fleet fleet;
  const auto error = [&](std::vector<std::string> sources, const std::string& name) {
    const auto merged = fleet.Merge(std::move(sources), name);
    REQUIRE(!merged);
    return merged.error();
  };
  const std::string ledger = fleet.newest[0] + "/usage.db";
  const std::string before = metering_test::ReadWhole(ledger);
  CHECK(error({fleet.newest[1]}, ledger.substr(fleet.directory.path().size() + 1))
            .find("was not made by a merge") != std::string::npos);
  CHECK(metering_test::ReadWhole(ledger) == before);
  CHECK(error({"/nowhere"}, "a.db").find("cannot find a ledger: /nowhere/usage.db") == 0);
  REQUIRE(fleet.Merge(fleet.newest, "b.db"));
  CHECK(error({fleet.directory.file("b.db")}, "b.db").find("is the output as well") !=
        std::string::npos);
  CHECK(error(fleet.newest, "missing/b.db").find("its directory must exist") != std::string::npos);
}

TEST_CASE("one failing file operation, for every one: the merged file is as it was, or as it is") {
  const Fleet fleet;
  REQUIRE(fleet.Merge({fleet.copies[1]}, "base.db"));
  const std::string base = Dump(fleet.directory.file("base.db"));
  REQUIRE(fleet.Merge({fleet.copies[1], fleet.newest[0], fleet.newest[2]}, "want.db"));
  const std::string want = Dump(fleet.directory.file("want.db"));
  for (int64_t k = 1;; ++k) {
    CAPTURE(k);
    const std::string path = fleet.directory.file("work.db");
    std::filesystem::copy_file(fleet.directory.file("base.db"), path,
                               std::filesystem::copy_options::overwrite_existing);
    FaultVfs vfs;
    vfs.FailAt(k, 1, SQLITE_IOERR);
    MergeOptions options;
    options.sources = {fleet.newest[0], fleet.newest[2]};
    options.output = path;
    options.vfs = FaultVfs::name();
    const bool merged = MergeLedgers(options).has_value();
    const bool failed = vfs.failed();
    vfs.Heal();
    {  // whoever writes next rolls back what was left
      sqlite3* db = nullptr;
      REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
      CHECK(sqlite3_exec(db, "SELECT count(*) FROM session", nullptr, nullptr, nullptr) ==
            SQLITE_OK);
      sqlite3_close(db);
    }
    const std::string now = Dump(path);
    CHECK((now == base || now == want));
    if (merged) CHECK(now == want);
    options.vfs.clear();
    REQUIRE(MergeLedgers(options));
    CHECK(Dump(path) == want);
    if (!failed) {
      CHECK(k > 20);
      return;
    }
  }
}

}  // namespace
}  // namespace turnpike
