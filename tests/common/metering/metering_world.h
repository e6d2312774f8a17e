// A metering directory, a server's hands on it, and a plain accountant that recounts what was
// relayed.
#pragma once

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/metering/ledger.h"
#include "common/metering/slots.h"
#include "common/metering/usage.h"
#include "tests/support/temp_directory.h"

namespace turnpike::metering_test {

inline std::string ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes(std::filesystem::file_size(path), '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

inline void WriteWhole(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// CopyMetering copies what a dead process leaves: not the -shm file, which belongs to the living.
inline void CopyMetering(const std::string& from, const std::string& to) {
  for (const char* name : {"usage.db", "usage.db-wal", "live.slots"}) {
    const std::string source = from + "/" + name;
    std::error_code ignored;
    std::filesystem::remove(to + "/" + name, ignored);
    if (std::filesystem::exists(source)) std::filesystem::copy_file(source, to + "/" + name);
  }
}

// Query runs `sql` on a ledger and returns every value as text; NULL is `NULL`.
inline std::vector<std::vector<std::string>> Query(const std::string& directory,
                                                   const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open_v2((directory + "/usage.db").c_str(), &db, SQLITE_OPEN_READWRITE, nullptr) ==
          SQLITE_OK);
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_stmt* statement = nullptr;
  REQUIRE_MESSAGE(sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK,
                  sqlite3_errmsg(db));
  std::vector<std::vector<std::string>> rows;
  while (sqlite3_step(statement) == SQLITE_ROW) {
    auto& row = rows.emplace_back();
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      const void* value = sqlite3_column_blob(statement, i);
      const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, i));
      const bool null = sqlite3_column_type(statement, i) == SQLITE_NULL;
      row.push_back(null ? "NULL" : std::string(static_cast<const char*>(value), size));
    }
  }
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return rows;
}

inline std::string QueryOne(const std::string& directory, const std::string& sql) {
  const auto rows = Query(directory, sql);
  REQUIRE(rows.size() == 1);
  return rows[0][0];
}

inline constexpr std::chrono::seconds kBucketSeconds = kBucketWidth;

// kNoon is 2026-11-20T12:00:00Z, a bucket's start.
inline constexpr WallTime kNoon{std::chrono::seconds(1795176000)};

// MakeInfo describes the `number`-th session of a test.
inline SessionInfo MakeInfo(uint32_t number, const std::string& account, WallTime now) {
  SessionInfo info;
  std::array<uint8_t, 10> random{};
  random[8] = static_cast<uint8_t>(number >> 8);
  random[9] = static_cast<uint8_t>(number);
  info.id = MakeSessionId(now, random);
  info.account = account;
  info.label = "web";
  info.username = "user-" + std::to_string(number);
  info.transport = Transport::kUdp;
  info.client = *TransportAddress::Parse("198.51.100.7:40000");
  info.relayed = *TransportAddress::Parse("203.0.113.7:10000");
  info.started_at = now;
  return info;
}

inline LedgerIdentity MakeIdentity(uint8_t boot) {
  LedgerIdentity identity{"relay-1", "us1", "ashburn", {}};
  identity.boot[15] = boot;
  return identity;
}

// World is one server's metering. It counts what it relays in a map of its own.
class World {
 public:
  explicit World(std::string directory) : directory_(std::move(directory)) {}

  // Start opens slots and ledger as a new run of the server does.
  void Start(LedgerOptions options = {}, uint32_t max_slots = 4096) {
    identity.boot[15]++;
    auto opened = SlotFile::Open(directory_ + "/live.slots", max_slots, identity);
    REQUIRE_MESSAGE(opened, opened.error());
    slots = std::move(*opened);
    auto ledger_opened = Ledger::Open(directory_, identity, std::move(options));
    REQUIRE_MESSAGE(ledger_opened, ledger_opened.error());
    ledger = std::move(*ledger_opened);
  }

  // Die drops everything, as a process that is killed does.
  void Die() {
    sessions.clear();
    ledger.reset();
    slots.reset();
  }

  SlotId Begin(const std::string& account) {
    SessionInfo info = MakeInfo(next_number_++, account, now);
    auto meter = slots->Acquire(info);
    REQUIRE(meter);
    sessions[meter->slot()] = {*meter, info};
    return meter->slot();
  }

  void Relay(SlotId slot, Direction direction, uint64_t payload) {
    RelayAt(slot, direction, payload, now);
  }

  // RelayAt relays at `now` and expects the bytes to be booked at `booked`.
  void RelayAt(SlotId slot, Direction direction, uint64_t payload, WallTime booked) {
    auto& [meter, info] = sessions.at(slot);
    meter.Add(direction, payload, payload + 4, BucketOf(now));
    expected[{BucketOf(booked).value(), info.account}][static_cast<size_t>(direction)] += payload;
  }

  void End(SlotId slot, CloseReason reason = CloseReason::kRefreshedToZero) {
    slots->Close(slot, reason, now);
    sessions.erase(slot);
  }

  void Checkpoint() {
    const auto stats = ledger->Checkpoint(*slots, now);
    REQUIRE_MESSAGE(stats, stats.error());
  }

  using Expected =
      std::map<std::pair<uint32_t, std::string>, std::array<uint64_t, kDirectionCount>>;

  // Booked reads what the ledger has, per bucket and account.
  static Expected Booked(const std::string& directory) {
    Expected booked;
    for (const auto& row : Query(directory,
                                 "SELECT bucket, account.name, sum(client_to_peer_bytes), "
                                 "sum(peer_to_client_bytes) FROM usage_bucket JOIN account ON "
                                 "account.key = account GROUP BY 1, 2 HAVING "
                                 "sum(client_to_peer_bytes + peer_to_client_bytes) > 0")) {
      booked[{static_cast<uint32_t>(std::stoul(row[0])), row[1]}] = {std::stoull(row[2]),
                                                                     std::stoull(row[3])};
    }
    return booked;
  }

  // CheckSound compares the ledger with itself: sessions = parts = buckets = totals, no page
  // damaged.
  static void CheckSound(const std::string& directory) {
    CHECK(QueryOne(directory, "PRAGMA integrity_check") == "ok");
    CHECK(Query(directory, "PRAGMA foreign_key_check").empty());
    const std::string sums =
        "SELECT coalesce(sum(client_to_peer_bytes), 0), coalesce(sum(peer_to_client_bytes), 0)";
    const std::string all_sums =
        sums +
        ", coalesce(sum(client_to_peer_wire_bytes), 0), coalesce(sum(peer_to_client_wire_bytes), "
        "0), "
        "coalesce(sum(client_to_peer_packets), 0), coalesce(sum(peer_to_client_packets), 0)";
    const auto sessions = Query(directory, all_sums + " FROM session");
    CHECK(Query(directory, all_sums + " FROM usage_part") == sessions);
    CHECK(Query(directory, all_sums + " FROM usage_bucket") == sessions);
    CHECK(QueryOne(directory, "SELECT coalesce(sum(sessions), 0) FROM usage_bucket") ==
          QueryOne(directory, "SELECT count(*) FROM session"));
    CHECK(Query(directory, sums + " FROM usage_total") == Query(directory, sums + " FROM session"));
  }

  // CheckExact demands that the ledger has every byte that was relayed, in its bucket, and no
  // other.
  void CheckExact(const std::string& directory) const {
    CHECK(Booked(directory) == expected);
    CheckSound(directory);
  }
  void CheckExact() const { CheckExact(directory_); }

  std::string directory_;
  LedgerIdentity identity = MakeIdentity(0);
  std::unique_ptr<SlotFile> slots;
  std::unique_ptr<Ledger> ledger;
  WallTime now = kNoon;
  Expected expected;
  std::map<SlotId, std::pair<SessionMeter, SessionInfo>> sessions;

 private:
  uint32_t next_number_ = 1;
};

}  // namespace turnpike::metering_test
