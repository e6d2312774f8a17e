// THE table of what reports show. A new column is a row here: its name (a header in tables and CSV,
// a member in JSON), its meaning, and how its value comes out of a row. Scripts of operators lean
// on names and order: add at the end of a group, never rename.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/time.h"
#include "common/metering/report.h"
#include "common/metering/usage.h"

namespace turnpike {

// CountsByName is a few named counts, such as drops by reason.
using CountsByName = std::vector<std::pair<std::string_view, uint64_t>>;

// Exact is a decimal number as text, which no program may turn into a double by accident.
struct Exact {
  std::string text;
};

// Cell is one value: nothing, bytes from outside, a count, one that may be negative, an instant,
// named counts, or a decimal.
using Cell =
    std::variant<std::monostate, std::string, uint64_t, int64_t, WallTime, CountsByName, Exact>;

// InTable says whether a table for people shows the column; CSV and JSON always do.
enum class InTable : bool { kNo, kYes };

// Column is one column of reports whose rows are `Row`s. `key` is set for what a report is grouped
// by: such a column is there only when the query asks for it.
template <typename Row>
struct Column {
  std::string_view name;
  std::string_view meaning;
  InTable in_table;
  Cell (*value)(const Row&);
  std::optional<ReportKey> key = std::nullopt;
};

namespace columns {

template <Direction D, typename Row>
Cell PayloadBytes(const Row& row) {
  return row.totals.payload_bytes[static_cast<size_t>(D)];
}
template <Direction D, typename Row>
Cell WireBytes(const Row& row) {
  return row.totals.wire_bytes[static_cast<size_t>(D)];
}
template <Direction D, typename Row>
Cell Packets(const Row& row) {
  return row.totals.packets[static_cast<size_t>(D)];
}
template <typename Row>
Cell BillableBytes(const Row& row) {
  return row.totals.billable_bytes();
}
// Text reads a member that is text.
template <auto Member, typename Row>
Cell Text(const Row& row) {
  return row.*Member;
}
// Drops lists the reasons that happened.
inline Cell Drops(const SessionRow& row) {
  CountsByName drops;
  for (size_t i = 0; i < row.dropped_packets.size(); ++i) {
    if (row.dropped_packets[i] == 0) continue;
    drops.emplace_back(DropReasonName(static_cast<DropReason>(i)), row.dropped_packets[i]);
  }
  return drops;
}
inline Cell EndedAt(const SessionRow& row) {
  return row.ended_at ? Cell(*row.ended_at) : Cell(std::monostate{});
}
inline Cell Reason(const SessionRow& row) {
  return row.close_reason ? Cell(*row.close_reason) : Cell(std::monostate{});
}

}  // namespace columns

// kReportColumns are those of `turnpike usage report`.
inline constexpr std::array<Column<ReportRow>, 15> kReportColumns = {{
    {"account", "who pays", InTable::kYes, columns::Text<&ReportRow::account, ReportRow>,
     ReportKey::kAccount},
    {"region", "where the server stood", InTable::kYes,
     columns::Text<&ReportRow::region, ReportRow>, ReportKey::kRegion},
    {"transport", "between client and server: udp, tcp, tls or dtls", InTable::kYes,
     columns::Text<&ReportRow::transport, ReportRow>, ReportKey::kTransport},
    {"label", "tells one use of an account from another", InTable::kYes,
     columns::Text<&ReportRow::label, ReportRow>, ReportKey::kLabel},
    {"day", "of the report's time zone", InTable::kYes, columns::Text<&ReportRow::day, ReportRow>,
     ReportKey::kDay},
    {"month", "of the report's time zone", InTable::kYes,
     columns::Text<&ReportRow::month, ReportRow>, ReportKey::kMonth},
    {"edge", "the site of the server", InTable::kYes, columns::Text<&ReportRow::edge, ReportRow>,
     ReportKey::kEdge},
    {"sessions", "allocations that started in the row's part of the period", InTable::kYes,
     [](const ReportRow& row) { return Cell(row.sessions); }},
    {"client_to_peer_bytes", "payload that clients sent and peers were sent", InTable::kYes,
     columns::PayloadBytes<Direction::kClientToPeer, ReportRow>},
    {"peer_to_client_bytes", "payload that peers sent and clients were sent", InTable::kYes,
     columns::PayloadBytes<Direction::kPeerToClient, ReportRow>},
    {"billable_bytes", "the sum of both directions' payload", InTable::kYes,
     columns::BillableBytes<ReportRow>},
    {"client_to_peer_packets", "datagrams or messages", InTable::kNo,
     columns::Packets<Direction::kClientToPeer, ReportRow>},
    {"peer_to_client_packets", "datagrams or messages", InTable::kNo,
     columns::Packets<Direction::kPeerToClient, ReportRow>},
    {"client_to_peer_wire_bytes", "the same with TURN framing on the client's leg", InTable::kNo,
     columns::WireBytes<Direction::kClientToPeer, ReportRow>},
    {"peer_to_client_wire_bytes", "the same with TURN framing on the client's leg", InTable::kNo,
     columns::WireBytes<Direction::kPeerToClient, ReportRow>},
}};

// kCostColumns follow when the report has rates.
inline constexpr std::array<Column<std::pair<const Report*, const ReportRow*>>, 2> kCostColumns = {{
    {"cost", "of the usage, not rounded; minimums and rounding stand on invoices alone",
     InTable::kYes,
     [](const auto& row) {
       return Cell(Exact{
           FormatAmount(row.second->cost, CurrencyDecimals(row.first->currency).value_or(2))});
     }},
    {"currency", "ISO 4217", InTable::kYes,
     [](const auto& row) { return Cell(row.first->currency); }},
}};

// kSessionColumns are those of `turnpike usage sessions`.
inline constexpr std::array<Column<SessionRow>, 21> kSessionColumns = {{
    {"session_id", "UUIDv7", InTable::kYes,
     [](const SessionRow& row) { return Cell(FormatSessionId(row.id)); }},
    {"node", "the server that ran it", InTable::kNo, columns::Text<&SessionRow::node, SessionRow>},
    {"edge", "the site of that server", InTable::kNo, columns::Text<&SessionRow::edge, SessionRow>},
    {"account", "who pays", InTable::kYes, columns::Text<&SessionRow::account, SessionRow>},
    {"region", "where the server stood", InTable::kYes,
     columns::Text<&SessionRow::region, SessionRow>},
    {"username", "who authenticated", InTable::kYes,
     columns::Text<&SessionRow::username, SessionRow>},
    {"label", "tells one use of an account from another", InTable::kYes,
     columns::Text<&SessionRow::label, SessionRow>},
    {"transport", "between client and server: udp, tcp, tls or dtls", InTable::kYes,
     columns::Text<&SessionRow::transport, SessionRow>},
    {"client_address",
     "the client's transport address, as the server saw it, when the session began", InTable::kYes,
     columns::Text<&SessionRow::client_address, SessionRow>},
    {"relayed_address", "the first relayed transport address", InTable::kNo,
     columns::Text<&SessionRow::relayed_address, SessionRow>},
    {"started_at", "UTC", InTable::kYes,
     [](const SessionRow& row) { return Cell(row.started_at); }},
    {"ended_at", "UTC; nothing while it lives", InTable::kYes, columns::EndedAt},
    {"close_reason", "why it ended; nothing while it lives", InTable::kYes, columns::Reason},
    {"client_to_peer_bytes", "payload within the period that the client sent", InTable::kYes,
     columns::PayloadBytes<Direction::kClientToPeer, SessionRow>},
    {"peer_to_client_bytes", "payload within the period that the client was sent", InTable::kYes,
     columns::PayloadBytes<Direction::kPeerToClient, SessionRow>},
    {"billable_bytes", "the sum of both directions' payload", InTable::kYes,
     columns::BillableBytes<SessionRow>},
    {"client_to_peer_packets", "within the period", InTable::kNo,
     columns::Packets<Direction::kClientToPeer, SessionRow>},
    {"peer_to_client_packets", "within the period", InTable::kNo,
     columns::Packets<Direction::kPeerToClient, SessionRow>},
    {"client_to_peer_wire_bytes", "with TURN framing on the client's leg", InTable::kNo,
     columns::WireBytes<Direction::kClientToPeer, SessionRow>},
    {"peer_to_client_wire_bytes", "with TURN framing on the client's leg", InTable::kNo,
     columns::WireBytes<Direction::kPeerToClient, SessionRow>},
    {"dropped_packets", "datagrams not relayed, by reason, over the whole session", InTable::kNo,
     columns::Drops},
}};

}  // namespace turnpike
