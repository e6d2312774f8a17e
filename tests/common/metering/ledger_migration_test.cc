// Schema 1 becomes schema 2 when a server opens it; a reader takes either.
#include <doctest/doctest.h>

#include "common/metering/ledger.h"
#include "common/metering/report.h"
#include "tests/common/metering/fault_vfs.h"
#include "tests/common/metering/ledger_v1.h"
#include "tests/common/metering/metering_world.h"

namespace turnpike {
namespace {

using metering_test::CopyMetering;
using metering_test::FaultVfs;
using metering_test::MakeVersion1;
using metering_test::Query;
using metering_test::QueryOne;
using metering_test::World;
using std::chrono::seconds;

// Old is a metering directory with a ledger of schema 1, and an accountant who knows what is in it.
struct Old {
  TempDirectory written;
  TempDirectory directory;
  World world{directory.path()};

  Old() {
    World author(written.path());
    author.Start();
    const SlotId long_call = author.Begin("acme");
    author.Relay(long_call, Direction::kClientToPeer, 100);
    author.Begin("silent");  // it relays nothing: no row of usage_bucket in version 1
    for (uint32_t i = 0; i < 40; ++i) {
      const SlotId slot = author.Begin(i % 3 == 0 ? "acme" : "umbrella");
      author.Relay(slot, Direction::kPeerToClient, 10 + i);
      author.now += seconds(400);
      author.Relay(slot, Direction::kClientToPeer, 3);
      author.End(slot);
    }
    author.Relay(long_call, Direction::kClientToPeer, 7);
    author.Checkpoint();
    author.Die();
    MakeVersion1(written.file("usage.db"), directory.file("usage.db"));
    std::filesystem::copy_file(written.file("live.slots"), directory.file("live.slots"));
    world.now = author.now;
    world.expected = author.expected;
    world.identity.boot[15] = 100;
  }
};

std::string Columns(const std::string& directory) {
  std::string text;
  for (const char* sql :
       {"SELECT m.name, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk FROM sqlite_schema m, "
        "pragma_table_xinfo(m.name) c WHERE m.type = 'table' ORDER BY m.name, c.cid",
        "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'index' ORDER BY name",
        "SELECT name, strict, wr FROM pragma_table_list WHERE schema = 'main' ORDER BY name"}) {
    for (const auto& row : Query(directory, sql)) {
      for (const auto& cell : row) text += cell + "|";
      text += "\n";
    }
  }
  return text;
}

TEST_CASE("a ledger of schema 1 is brought up to date, with every byte and every session") {
  Old old;
  CHECK(QueryOne(old.directory.path(), "PRAGMA user_version") == "1");
  old.world.Start();
  CHECK(QueryOne(old.directory.path(), "PRAGMA user_version") == "2");
  old.world.CheckExact();
  CHECK(Columns(old.directory.path()) == Columns(old.written.path()));
  const std::string rows = "SELECT * FROM usage_bucket ORDER BY 1, 2, 3, 4, 5";
  CHECK(Query(old.directory.path(), rows) == Query(old.written.path(), rows));
  // And it goes on as any other: the sessions that lived are closed as crash and billed once.
  old.world.Relay(old.world.Begin("acme"), Direction::kClientToPeer, 5);
  old.world.Checkpoint();
  old.world.CheckExact();
}

TEST_CASE("a reader takes a file of schema 1 as it is") {
  Old old;
  const std::string before = metering_test::ReadWhole(old.directory.file("usage.db"));
  for (const auto& by : {std::vector{ReportKey::kAccount}, std::vector{ReportKey::kDay},
                         std::vector{ReportKey::kAccount, ReportKey::kRegion}}) {
    const auto as_v1 = UsageReport({old.directory.path(), {}, by});
    REQUIRE_MESSAGE(as_v1, as_v1.error());
    const auto as_v2 = UsageReport({old.written.path(), {}, by});
    REQUIRE(as_v2);
    REQUIRE(as_v1->rows.size() == as_v2->rows.size());
    for (size_t i = 0; i < as_v1->rows.size(); ++i) {
      CHECK(as_v1->rows[i].account == as_v2->rows[i].account);
      CHECK(as_v1->rows[i].sessions == as_v2->rows[i].sessions);
      CHECK(as_v1->rows[i].totals == as_v2->rows[i].totals);
    }
  }
  CHECK(metering_test::ReadWhole(old.directory.file("usage.db")) == before);
}

TEST_CASE("a merged or copied ledger is read by the file's own name") {
  Old old;
  const auto report = UsageReport({old.directory.file("usage.db"), {}, {ReportKey::kAccount}});
  REQUIRE_MESSAGE(report, report.error());
  CHECK(report->rows.size() == 3);
}

TEST_CASE(
    "a migration that fails at any file operation leaves schema 1, and the next start does it") {
  const Old original;
  for (int64_t k = 1;; ++k) {
    CAPTURE(k);
    const TempDirectory directory;
    CopyMetering(original.directory.path(), directory.path());
    FaultVfs vfs;
    LedgerOptions options;
    options.vfs = FaultVfs::name();
    vfs.FailAt(k, 1, SQLITE_IOERR);
    World heir(directory.path());
    heir.now = original.world.now;
    heir.expected = original.world.expected;
    heir.identity.boot[15] = 100;
    const bool opened = Ledger::Open(directory.path(), heir.identity, options).has_value();
    const bool failed = vfs.failed();
    vfs.Heal();
    const std::string version = QueryOne(directory.path(), "PRAGMA user_version");
    CHECK((version == "1" || version == "2"));
    if (opened) CHECK(version == "2");
    heir.Start();
    heir.Checkpoint();
    heir.CheckExact();
    if (!failed) {
      CHECK(k > 10);
      return;
    }
  }
}

TEST_CASE("killed, or without power, at any moment of a migration: the next start does it") {
  const Old original;
  const TempDirectory directory;
  const TempDirectory durable;  // what is synced
  CopyMetering(original.directory.path(), directory.path());
  CopyMetering(original.directory.path(), durable.path());
  FaultVfs vfs;
  const auto name = [](const std::string& path) { return path.substr(path.rfind('/')); };
  vfs.synced = [&](const std::string& path) {
    std::filesystem::copy_file(path, durable.path() + name(path),
                               std::filesystem::copy_options::overwrite_existing);
  };
  vfs.removed = [&](const std::string& path) {
    std::filesystem::remove(durable.path() + name(path));
  };
  int moments = 0;
  vfs.before = [&](int64_t) {
    const auto look = std::exchange(vfs.before, nullptr);
    const auto synced = std::exchange(vfs.synced, nullptr);
    for (const std::string& left : {directory.path(), durable.path()}) {
      const TempDirectory copy;
      CopyMetering(left, copy.path());
      World heir(copy.path());
      heir.now = original.world.now;
      heir.expected = original.world.expected;
      heir.identity.boot[15] = 100;
      heir.Start();
      CHECK(QueryOne(copy.path(), "PRAGMA user_version") == "2");
      heir.Checkpoint();
      heir.CheckExact();
    }
    ++moments;
    vfs.before = look;
    vfs.synced = synced;
  };
  vfs.FailAt(0, 0, SQLITE_IOERR);
  LedgerOptions options;
  options.vfs = FaultVfs::name();
  REQUIRE(Ledger::Open(directory.path(), metering_test::MakeIdentity(100), options));
  CHECK(moments > 10);
}

}  // namespace
}  // namespace turnpike
