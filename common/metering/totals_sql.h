// The six totals as SQL spells them. Every table that holds usage has these columns, in the order
// of Sums (split.h).
#pragma once

#include <array>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace turnpike {

inline constexpr std::array<std::string_view, 6> kTotalsColumns = {
    "client_to_peer_bytes",      "peer_to_client_bytes",   "client_to_peer_wire_bytes",
    "peer_to_client_wire_bytes", "client_to_peer_packets", "peer_to_client_packets"};

// EachTotal writes `pattern` once for each of the six columns, with its name for every `$`,
// separated by commas: EachTotal("sum(p.$)") is `sum(p.client_to_peer_bytes), …`.
std::string EachTotal(std::string_view pattern = "$");

// GrowColumns builds an upsert for `table`, whose first `keys` columns are its key and whose others
// are `columns`: they grow by what is bound. A sum that leaves SQLite's integers stays at their
// largest, as a REAL would be refused by a STRICT table for ever after. GrowTotals is for tables
// with the six totals, and `more` after them.
std::string GrowColumns(std::string_view table, int keys,
                        std::span<const std::string_view> columns);
std::string GrowTotals(std::string_view table, int keys,
                       std::initializer_list<std::string_view> more = {});

// ExpandTotals replaces every `{pattern}` in `sql` by what EachTotal makes of `pattern`.
std::string ExpandTotals(std::string_view sql);

}  // namespace turnpike
