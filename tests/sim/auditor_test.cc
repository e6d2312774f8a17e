// The conservation test must be able to fail: one byte anywhere, and it says where.
#include "tests/sim/auditor.h"

#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "common/base/log.h"
#include "common/metering/ledger_schema.h"
#include "common/metering/sqlite.h"
#include "tests/sim/ledger_books.h"
#include "tests/sim/permission_watch.h"
#include "tests/sim/report_check.h"
#include "tests/sim/sim_world.h"
#include "tests/support/temp_directory.h"

namespace turnpike::sim {
namespace {

using Packet = std::vector<uint8_t>;

// 2026-11-20 21:14:59.999999 and one microsecond later: two buckets.
constexpr int64_t kBefore = 1'795'209'299'999'999;
constexpr int64_t kAfter = kBefore + 1;

Packet ChannelData(const Packet& payload, size_t padding) {
  Packet message = {0x40, 0x01, 0, static_cast<uint8_t>(payload.size())};
  message.insert(message.end(), payload.begin(), payload.end());
  message.insert(message.end(), padding, 0);
  return message;
}

// Indication builds a Send or Data indication: XOR-PEER-ADDRESS, then DATA.
Packet Indication(uint8_t method, const Packet& payload) {
  Packet message = {0x00, method, 0, 0, 0x21, 0x12, 0xA4, 0x42};
  message.resize(20, 7);
  const Packet address = {0x00, 0x12, 0, 8, 0, 1, 0x33, 0x44, 1, 2, 3, 4};
  message.insert(message.end(), address.begin(), address.end());
  message.insert(message.end(), {0x00, 0x13, 0, static_cast<uint8_t>(payload.size())});
  message.insert(message.end(), payload.begin(), payload.end());
  message.resize((message.size() + 3) / 4 * 4, 0);
  message[3] = static_cast<uint8_t>(message.size() - 20);
  return message;
}

SessionEntry Acme() {
  SessionEntry entry;
  entry.account = "acme";
  entry.label = "web";
  entry.username = "alice";
  entry.region = "us1";
  entry.transport = "tcp";
  return entry;
}

// Filled is an auditor that saw one session in two buckets.
Auditor Filled() {
  Auditor auditor;
  auditor.OpenSession("s1", Acme());
  const Packet payload = {1, 2, 3, 4, 5};
  auditor.TookDatagramToPeer("s1", ChannelData(payload, 0), true, payload, kBefore);
  auditor.TookDatagramToPeer("s1", Indication(0x16, payload), false, payload, kBefore);
  auditor.TookMessageToClient("s1", payload, ChannelData(payload, 3), kAfter);
  auditor.TookMessageToClient("s1", payload, Indication(0x17, payload), kAfter);
  auditor.Refused("s1", "would_block");
  return auditor;
}

TEST_CASE("the auditor counts payload and wire bytes of every kind of message") {
  const Auditor auditor = Filled();
  CHECK(auditor.problems().empty());
  const Books& books = auditor.books();
  const Tally& tally = books.sessions.at("s1").tally;
  CHECK(tally.payload_bytes == std::array<uint64_t, 2>{10, 10});
  // 4 + 5 and padding to 12 on the stream; 20 + 12 + 4 + 8 for an indication.
  CHECK(tally.wire_bytes == std::array<uint64_t, 2>{12 + 44, 12 + 44});
  CHECK(tally.packets == std::array<uint64_t, 2>{2, 2});
  CHECK(auditor.billable() == 20);
  REQUIRE(books.parts.size() == 2);
  CHECK(books.parts.begin()->second.payload_bytes == std::array<uint64_t, 2>{10, 0});
  CHECK(books.parts.rbegin()->second.payload_bytes == std::array<uint64_t, 2>{0, 10});
  CHECK(books.parts.rbegin()->first.first == books.parts.begin()->first.first + 1);
  CHECK(books.totals.at({"acme", "us1"}) == std::array<uint64_t, 2>{10, 10});
}

TEST_CASE("the auditor sees bytes that changed on the way, and bytes after the end") {
  Auditor auditor = Filled();
  auditor.TookDatagramToPeer("s1", ChannelData({1, 2}, 0), false, Packet{1, 3}, kAfter);
  CHECK(auditor.problems().size() == 1);
  auditor.TookMessageToClient("s1", Packet{1, 2}, ChannelData({1}, 3), kAfter);
  CHECK(auditor.problems().size() == 2);
  // On a stream padding is part of the message.
  auditor.TookMessageToClient("s1", Packet{1}, ChannelData({1}, 0), kAfter);
  CHECK(auditor.problems().size() == 3);
  auditor.CloseSession("s1", "expired", kAfter);
  auditor.TookMessageToClient("s1", Packet{1}, ChannelData({1}, 3), kAfter);
  CHECK(auditor.problems().size() == 4);
  auditor.OpenSession("s1", Acme());
  CHECK(auditor.problems().size() == 5);
}

TEST_CASE("8656_9_only_what_a_client_asked_for_may_cross_and_not_for_ever") {
  constexpr int64_t kSecond = 1'000'000;
  // CreatePermission for 1.2.3.4, XORed with the magic cookie.
  Packet request = {0x00, 0x08, 0, 12, 0x21, 0x12, 0xA4, 0x42};
  request.resize(20, 9);
  const Packet address = {0x00, 0x12, 0, 8, 0, 1, 0, 0, 1 ^ 0x21, 2 ^ 0x12, 3 ^ 0xA4, 4 ^ 0x42};
  request.insert(request.end(), address.begin(), address.end());
  PermissionWatch watch;
  watch.AddAlias({10, 0, 0, 5}, {1, 2, 3, 4});
  CHECK_FALSE(watch.MayRelay("c", {1, 2, 3, 4}, false, 0));
  watch.SawRequest("c", request, 0);
  CHECK(watch.MayRelay("c", {1, 2, 3, 4}, false, 299 * kSecond));
  CHECK(watch.MayRelay("c", {10, 0, 0, 5}, false, 0));
  CHECK_FALSE(watch.MayRelay("c", {1, 2, 3, 5}, false, 0));
  CHECK_FALSE(watch.MayRelay("d", {1, 2, 3, 4}, false, 0));
  CHECK_FALSE(watch.MayRelay("c", {1, 2, 3, 4}, true, 0));
  CHECK_FALSE(watch.MayRelay("c", {1, 2, 3, 4}, false, 300 * kSecond));
  request[1] = 0x09;  // ChannelBind
  watch.SawRequest("c", request, 0);
  CHECK(watch.MayRelay("c", {1, 2, 3, 4}, true, 599 * kSecond));
  CHECK_FALSE(watch.MayRelay("c", {1, 2, 3, 4}, false, 300 * kSecond));
  CHECK_FALSE(watch.MayRelay("c", {1, 2, 3, 4}, true, 600 * kSecond));
}

TEST_CASE("one wrong number anywhere is a difference that names its table") {
  const Books audited = Filled().books();
  CHECK_FALSE(FirstDifference(audited, audited).has_value());
  const auto differs = [&](const std::string& table, const std::function<void(Books&)>& change) {
    Books stored = audited;
    change(stored);
    const auto difference = FirstDifference(audited, stored);
    REQUIRE(difference.has_value());
    CAPTURE(*difference);
    CHECK(difference->starts_with(table));
  };
  differs("session", [](Books& b) { ++b.sessions["s1"].tally.payload_bytes[0]; });
  differs("session", [](Books& b) { --b.sessions["s1"].tally.wire_bytes[1]; });
  differs("session", [](Books& b) { ++b.sessions["s1"].dropped["would_block"]; });
  differs("session", [](Books& b) { b.sessions["s1"].account = "Acme"; });
  differs("session", [](Books& b) { b.sessions["s2"] = {}; });
  differs("session", [](Books& b) { b.sessions.clear(); });
  differs("usage_part", [](Books& b) { ++b.parts.begin()->second.packets[0]; });
  differs("usage_part", [](Books& b) { b.parts.erase(b.parts.begin()); });
  differs("usage_bucket", [](Books& b) { ++b.buckets.begin()->second.payload_bytes[1]; });
  differs("billable totals", [](Books& b) { ++b.totals.begin()->second[0]; });
}

TEST_CASE("one byte added to a table of a real ledger is found") {
  ConfigureLog(LogLevel::kError, LogFormat::kText);
  const TempDirectory directory;
  SimWorld world(1, directory.path());
  REQUIRE_FALSE(world.Run().has_value());
  const Books& audited = world.audited();
  const auto stored = [&] {
    auto books = ReadLedgerBooks(directory.path());
    REQUIRE(books.has_value());
    books->totals = audited.totals;
    return *books;
  };
  REQUIRE_FALSE(FirstDifference(audited, stored()).has_value());
  REQUIRE_FALSE(ReportDifference(audited, directory.path(), true).has_value());
  for (const std::string table : {"session", "usage_part", "usage_bucket"}) {
    const auto change = [&](const std::string& by) {
      auto database = Database::Open(LedgerPath(directory.path()), SQLITE_OPEN_READWRITE, "");
      REQUIRE(database.has_value());
      const std::string sql =
          "UPDATE " + table + " SET peer_to_client_bytes = peer_to_client_bytes " + by +
          (table == "session" ? " WHERE key = 1"
                              : " WHERE bucket = (SELECT max(bucket) FROM " + table + ")");
      (*database)->Exec(sql.c_str());
      REQUIRE((*database)->ok());
    };
    change("+ 1");
    const auto difference = FirstDifference(audited, stored());
    REQUIRE(difference.has_value());
    CHECK(difference->starts_with(table));
    // The usage report is made of buckets, the session report of parts and sessions.
    if (table != "session") CHECK(ReportDifference(audited, directory.path(), true).has_value());
    change("- 1");
    CHECK_FALSE(FirstDifference(audited, stored()).has_value());
  }
}

}  // namespace
}  // namespace turnpike::sim
