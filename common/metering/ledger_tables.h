// The SQL of usage.db: its tables, how an older schema becomes the present one, and how a reader
// sees an older file as if it were new. LEDGER.md says what the columns mean. `{…}` stands for the
// six totals (ExpandTotals).
#pragma once

namespace turnpike {

inline constexpr const char* kCreateLedger = R"sql(
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
  edge BLOB NOT NULL,
  pruned_before INTEGER NOT NULL DEFAULT 0
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
  {$ INTEGER NOT NULL}
) STRICT;
CREATE INDEX session_started ON session(started_at);
CREATE INDEX session_open ON session(key) WHERE ended_at IS NULL;
CREATE INDEX session_traceable ON session(ended_at) WHERE client_address <> '';
CREATE INDEX session_ended ON session(ended_at);
CREATE TABLE session_drop(
  session INTEGER NOT NULL REFERENCES session,
  reason TEXT NOT NULL,
  packets INTEGER NOT NULL,
  PRIMARY KEY (session, reason)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_part(
  bucket INTEGER NOT NULL,
  session INTEGER NOT NULL REFERENCES session,
  {$ INTEGER NOT NULL},
  PRIMARY KEY (bucket, session)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_bucket(
  bucket INTEGER NOT NULL,
  account INTEGER NOT NULL REFERENCES account,
  region BLOB NOT NULL,
  transport TEXT NOT NULL,
  label BLOB NOT NULL,
  {$ INTEGER NOT NULL},
  sessions INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (bucket, account, region, transport, label)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_total(
  account INTEGER NOT NULL REFERENCES account,
  region BLOB NOT NULL,
  client_to_peer_bytes INTEGER NOT NULL,
  peer_to_client_bytes INTEGER NOT NULL,
  PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_pruned(
  bucket INTEGER NOT NULL,
  boot INTEGER NOT NULL REFERENCES boot,
  account INTEGER NOT NULL REFERENCES account,
  transport TEXT NOT NULL,
  label BLOB NOT NULL,
  {$ INTEGER NOT NULL},
  sessions INTEGER NOT NULL,
  PRIMARY KEY (bucket, boot, account, transport, label)
) STRICT, WITHOUT ROWID;
CREATE TABLE merged_ledger(
  first_boot BLOB PRIMARY KEY,
  node BLOB NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
  as_of INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
PRAGMA application_id = 0x54504C47;
PRAGMA user_version = 2;
)sql";

// kMigrateLedgerFrom1 turns schema 1 into schema 2, within the caller's transaction. A session
// starts in one bucket: version 2 counts it there, so that counts outlive the sessions.
inline constexpr const char* kMigrateLedgerFrom1 = R"sql(
ALTER TABLE boot ADD COLUMN pruned_before INTEGER NOT NULL DEFAULT 0;
CREATE INDEX session_traceable ON session(ended_at) WHERE client_address <> '';
CREATE INDEX session_ended ON session(ended_at);
ALTER TABLE usage_bucket ADD COLUMN sessions INTEGER NOT NULL DEFAULT 0;
INSERT INTO usage_bucket
  SELECT max(started_at, 0) / 900000000, account, region, transport, label,
    0, 0, 0, 0, 0, 0, count(*)
  FROM session JOIN boot ON boot.key = boot WHERE true GROUP BY 1, 2, 3, 4, 5
  ON CONFLICT DO UPDATE SET sessions = excluded.sessions;
CREATE TABLE usage_pruned(
  bucket INTEGER NOT NULL,
  boot INTEGER NOT NULL REFERENCES boot,
  account INTEGER NOT NULL REFERENCES account,
  transport TEXT NOT NULL,
  label BLOB NOT NULL,
  {$ INTEGER NOT NULL},
  sessions INTEGER NOT NULL,
  PRIMARY KEY (bucket, boot, account, transport, label)
) STRICT, WITHOUT ROWID;
CREATE TABLE merged_ledger(
  first_boot BLOB PRIMARY KEY,
  node BLOB NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
  as_of INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 2;
)sql";

// kReadLedgerVersion1 lets a reader ask a file of schema 1 what schema 2 holds: names of the TEMP
// schema hide those of the file, which stays as it is.
inline constexpr const char* kReadLedgerVersion1 = R"sql(
PRAGMA temp_store = MEMORY;
CREATE TEMP VIEW boot AS SELECT *, 0 AS pruned_before FROM main.boot;
CREATE TEMP VIEW usage_bucket AS
  SELECT *, 0 AS sessions FROM main.usage_bucket
  UNION ALL
  SELECT max(started_at, 0) / 900000000, account, region, transport, label, 0, 0, 0, 0, 0, 0, 1
  FROM main.session JOIN main.boot AS b ON b.key = boot;
CREATE TEMP VIEW usage_pruned AS
  SELECT bucket, 0 AS boot, account, transport, label, {$}, 0 AS sessions
  FROM main.usage_bucket WHERE false;
CREATE TEMP VIEW merged_ledger AS
  SELECT id AS first_boot, node, '' AS state, 0 AS as_of FROM main.boot WHERE false;
)sql";

}  // namespace turnpike
