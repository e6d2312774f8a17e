#include "common/metering/totals_sql.h"

#include <fmt/format.h>

#include <vector>

namespace turnpike {

std::string EachTotal(std::string_view pattern) {
  std::string sql;
  for (const std::string_view column : kTotalsColumns) {
    if (!sql.empty()) sql += ", ";
    for (const char c : pattern) c == '$' ? sql += column : sql += c;
  }
  return sql;
}

std::string GrowColumns(std::string_view table, int keys,
                        std::span<const std::string_view> columns) {
  std::string values;
  for (size_t i = 0; i < static_cast<size_t>(keys) + columns.size(); ++i) {
    values += values.empty() ? "?" : ", ?";
  }
  std::string growth;
  for (const std::string_view column : columns) {
    growth += fmt::format("{0}{1} = min({1} + excluded.{1}, 9223372036854775807)",
                          growth.empty() ? "" : ", ", column);
  }
  return "INSERT INTO " + std::string(table) + " VALUES (" + values +
         ") ON CONFLICT DO UPDATE SET " + growth;
}

std::string GrowTotals(std::string_view table, int keys,
                       std::initializer_list<std::string_view> more) {
  std::vector<std::string_view> columns(kTotalsColumns.begin(), kTotalsColumns.end());
  columns.insert(columns.end(), more);
  return GrowColumns(table, keys, columns);
}

std::string ExpandTotals(std::string_view sql) {
  std::string expanded;
  for (;;) {
    const size_t open = sql.find('{');
    expanded += sql.substr(0, open);
    if (open == std::string_view::npos) return expanded;
    const size_t close = sql.find('}', open);
    expanded += EachTotal(sql.substr(open + 1, close - open - 1));
    sql.remove_prefix(close + 1);
  }
}

}  // namespace turnpike
