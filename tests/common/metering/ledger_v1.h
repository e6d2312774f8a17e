// A ledger file as the release with schema 1 wrote it: its SQL is kept here for ever, as migrations
// start from files that are already out there.
#pragma once

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <string>

namespace turnpike::metering_test {

inline constexpr const char* kCreateVersion1 = R"sql(
CREATE TABLE meta(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
  as_of INTEGER NOT NULL,
  created INTEGER
) STRICT;
INSERT INTO meta VALUES (1, 'open', 0, NULL);
CREATE TABLE boot(
  key INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  node BLOB NOT NULL,
  region BLOB NOT NULL,
  edge BLOB NOT NULL
) STRICT;
CREATE TABLE account(
  key INTEGER PRIMARY KEY,
  name BLOB NOT NULL UNIQUE
) STRICT;
CREATE TABLE session(
  key INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  boot INTEGER NOT NULL REFERENCES boot,
  account INTEGER NOT NULL REFERENCES account,
  label BLOB NOT NULL,
  username BLOB NOT NULL,
  transport TEXT NOT NULL,
  client_address TEXT NOT NULL,
  relayed_address TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  close_reason TEXT,
  client_to_peer_bytes INTEGER NOT NULL,
  peer_to_client_bytes INTEGER NOT NULL,
  client_to_peer_wire_bytes INTEGER NOT NULL,
  peer_to_client_wire_bytes INTEGER NOT NULL,
  client_to_peer_packets INTEGER NOT NULL,
  peer_to_client_packets INTEGER NOT NULL
) STRICT;
CREATE INDEX session_started ON session(started_at);
CREATE INDEX session_open ON session(key) WHERE ended_at IS NULL;
CREATE TABLE session_drop(
  session INTEGER NOT NULL REFERENCES session,
  reason TEXT NOT NULL,
  packets INTEGER NOT NULL,
  PRIMARY KEY (session, reason)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_part(
  bucket INTEGER NOT NULL,
  session INTEGER NOT NULL REFERENCES session,
  client_to_peer_bytes INTEGER NOT NULL,
  peer_to_client_bytes INTEGER NOT NULL,
  client_to_peer_wire_bytes INTEGER NOT NULL,
  peer_to_client_wire_bytes INTEGER NOT NULL,
  client_to_peer_packets INTEGER NOT NULL,
  peer_to_client_packets INTEGER NOT NULL,
  PRIMARY KEY (bucket, session)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_bucket(
  bucket INTEGER NOT NULL,
  account INTEGER NOT NULL REFERENCES account,
  region BLOB NOT NULL,
  transport TEXT NOT NULL,
  label BLOB NOT NULL,
  client_to_peer_bytes INTEGER NOT NULL,
  peer_to_client_bytes INTEGER NOT NULL,
  client_to_peer_wire_bytes INTEGER NOT NULL,
  peer_to_client_wire_bytes INTEGER NOT NULL,
  client_to_peer_packets INTEGER NOT NULL,
  peer_to_client_packets INTEGER NOT NULL,
  PRIMARY KEY (bucket, account, region, transport, label)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_total(
  account INTEGER NOT NULL REFERENCES account,
  region BLOB NOT NULL,
  client_to_peer_bytes INTEGER NOT NULL,
  peer_to_client_bytes INTEGER NOT NULL,
  PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;
PRAGMA application_id = 0x54504C47;
PRAGMA user_version = 1;
)sql";

// MakeVersion1 writes to `path` what a server with schema 1 would have written in place of the one
// that wrote `source`. As the old release does, it leaves the file in WAL mode.
inline void MakeVersion1(const std::string& source, const std::string& path) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  const std::string sql = "PRAGMA journal_mode = WAL;" + std::string(kCreateVersion1) + "ATTACH '" +
                          source + R"sql(' AS new;
    BEGIN;
    DELETE FROM meta;
    INSERT INTO meta SELECT * FROM new.meta;
    INSERT INTO boot SELECT key, id, node, region, edge FROM new.boot;
    INSERT INTO account SELECT * FROM new.account;
    INSERT INTO session SELECT * FROM new.session;
    INSERT INTO session_drop SELECT * FROM new.session_drop;
    INSERT INTO usage_part SELECT * FROM new.usage_part;
    INSERT INTO usage_bucket SELECT bucket, account, region, transport, label,
      client_to_peer_bytes, peer_to_client_bytes, client_to_peer_wire_bytes,
      peer_to_client_wire_bytes, client_to_peer_packets, peer_to_client_packets
      FROM new.usage_bucket WHERE client_to_peer_packets + peer_to_client_packets > 0;
    INSERT INTO usage_total SELECT * FROM new.usage_total;
    COMMIT)sql";
  char* error = nullptr;
  REQUIRE_MESSAGE(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &error) == SQLITE_OK, error);
  sqlite3_close(db);
}

}  // namespace turnpike::metering_test
