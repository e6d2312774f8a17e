#include "tests/sim/ledger_books.h"

#include <set>

#include "common/metering/ledger_schema.h"
#include "common/metering/sqlite.h"
#include "common/metering/usage.h"

namespace turnpike::sim {
namespace {

Tally ReadTally(const Statement& row, int first) {
  Tally tally;
  for (int i = 0; i < 2; ++i) {
    const auto d = static_cast<size_t>(i);
    tally.payload_bytes[d] = row.Total(first + i);
    tally.wire_bytes[d] = row.Total(first + 2 + i);
    tally.packets[d] = row.Total(first + 4 + i);
  }
  return tally;
}

std::string IdText(const std::string& bytes) {
  SessionId id{};
  std::copy(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(id.size()), id.begin());
  return FormatSessionId(id);
}

constexpr const char* kTallyColumns =
    "x.client_to_peer_bytes, x.peer_to_client_bytes, x.client_to_peer_wire_bytes, "
    "x.peer_to_client_wire_bytes, x.client_to_peer_packets, x.peer_to_client_packets ";

void ReadSessions(Database& database, Books& books) {
  Statement row(database,
                std::string("SELECT x.id, account.name, x.label, x.username, boot.region, "
                            "x.transport, x.client_address, x.relayed_address, x.started_at, "
                            "x.close_reason, x.ended_at, ") +
                    kTallyColumns +
                    "FROM session x JOIN account ON account.key = x.account "
                    "JOIN boot ON boot.key = x.boot");
  while (row.Step()) {
    SessionEntry entry{.account = row.Bytes(1),
                       .label = row.Bytes(2),
                       .username = row.Bytes(3),
                       .region = row.Bytes(4),
                       .transport = row.Bytes(5),
                       .client_address = row.Bytes(6),
                       .relayed_address = row.Bytes(7),
                       .started_at_us = row.Int(8),
                       .close_reason = row.IsNull(9) ? "" : row.Bytes(9),
                       .ended_at_us = row.IsNull(10) ? 0 : row.Int(10),
                       .tally = ReadTally(row, 11),
                       .dropped = {}};
    if (entry.close_reason == "crash") entry.ended_at_us = 0;
    books.sessions[IdText(row.Bytes(0))] = std::move(entry);
  }
}

void ReadDrops(Database& database, Books& books) {
  static const std::set<std::string> kKernel = {"would_block", "unreachable", "send_failed",
                                                "queue_full", "client_gone"};
  Statement row(database,
                "SELECT session.id, reason, packets FROM session_drop "
                "JOIN session ON session.key = session_drop.session");
  while (row.Step()) {
    if (!kKernel.contains(row.Bytes(1))) continue;
    books.sessions[IdText(row.Bytes(0))].dropped[row.Bytes(1)] = row.Total(2);
  }
}

void ReadParts(Database& database, Books& books) {
  Statement row(database, std::string("SELECT x.bucket, session.id, ") + kTallyColumns +
                              "FROM usage_part x JOIN session ON session.key = x.session");
  while (row.Step()) {
    books.parts[{static_cast<uint32_t>(row.Int(0)), IdText(row.Bytes(1))}] = ReadTally(row, 2);
  }
}

void ReadBuckets(Database& database, Books& books) {
  Statement row(database,
                std::string("SELECT x.bucket, account.name, x.region, x.transport, x.label, ") +
                    kTallyColumns + "FROM usage_bucket x JOIN account ON account.key = x.account");
  while (row.Step()) {
    const Tally tally = ReadTally(row, 5);
    // Nothing was relayed where a session only began.
    if (tally == Tally{}) continue;
    books.buckets[{static_cast<uint32_t>(row.Int(0)), row.Bytes(1), row.Bytes(2), row.Bytes(3),
                   row.Bytes(4)}] = tally;
  }
}

}  // namespace

std::expected<Books, std::string> ReadLedgerBooks(const std::string& directory) {
  auto database = OpenLedgerForReading(directory);
  if (!database) return std::unexpected(database.error());
  Books books;
  ReadSessions(**database, books);
  ReadDrops(**database, books);
  ReadParts(**database, books);
  ReadBuckets(**database, books);
  if (!(*database)->ok()) return std::unexpected((*database)->error());
  return books;
}

}  // namespace turnpike::sim
