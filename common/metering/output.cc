#include "common/metering/output.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/log.h"

namespace turnpike {
namespace {

// ShownColumns are those of a usage report: its keys in the order in which they were asked for,
// then what is counted.
std::vector<const Column<ReportRow>*> ShownColumns(std::span<const ReportKey> by) {
  std::vector<const Column<ReportRow>*> shown;
  for (const ReportKey key : by) {
    shown.push_back(&*std::ranges::find(kReportColumns, key, &Column<ReportRow>::key));
  }
  for (const auto& column : kReportColumns) {
    if (!column.key) shown.push_back(&column);
  }
  return shown;
}

}  // namespace

std::expected<ReportFormat, std::string> ParseReportFormat(std::string_view name) {
  if (name == "table") return ReportFormat::kTable;
  if (name == "csv") return ReportFormat::kCsv;
  if (name == "json") return ReportFormat::kJson;
  if (name == "jsonl") return ReportFormat::kJsonLines;
  return std::unexpected("unknown format \"" + EscapeText(name) +
                         "\": known are table, csv, json and jsonl");
}

std::unique_ptr<RowWriter> MakeRowWriter(ReportFormat format, std::ostream& out) {
  switch (format) {
    case ReportFormat::kTable:
      return MakeTableWriter(out);
    case ReportFormat::kCsv:
      return MakeCsvWriter(out);
    case ReportFormat::kJson:
      return MakeJsonWriter(out);
    case ReportFormat::kJsonLines:
      break;
  }
  return MakeJsonLinesWriter(out);
}

std::string PlainText(const std::string& text) {
  if (text.find('\0') != std::string::npos) return EscapeText(text);
  // A name that is written like an escape must not pass for the bytes that one stands for.
  if (text.find("\\x") != std::string::npos) return EscapeText(text);
  try {
    static_cast<void>(nlohmann::json(text).dump());
    return text;
  } catch (const nlohmann::json::exception&) {
    return EscapeText(text);  // not UTF-8
  }
}

void WriteReport(const Report& report, ReportFormat format, std::ostream& out) {
  const auto shown = ShownColumns(report.by);
  std::vector<OutputColumn> columns;
  for (const auto* column : shown) columns.push_back({column->name, column->in_table});
  const bool has_costs = !report.currency.empty();
  if (has_costs) {
    for (const auto& column : kCostColumns) columns.push_back({column.name, column.in_table});
  }
  const auto writer = MakeRowWriter(format, out);
  writer->Begin(report.scope, std::move(columns));
  OutputTotal total;
  std::vector<Cell> cells;
  Amount cost;
  for (const ReportRow& row : report.rows) {
    cells.clear();
    for (const auto* column : shown) cells.push_back(column->value(row));
    if (has_costs) {
      for (const auto& column : kCostColumns) cells.push_back(column.value({&report, &row}));
      cost = CheckedAdd(cost, row.cost).value_or(cost);
    }
    writer->Row(cells);
    ++total.rows;
    total.sessions += row.sessions;
    total.billable_bytes += row.totals.billable_bytes();
  }
  if (has_costs) {
    total.more = ", " + FormatAmount(cost, CurrencyDecimals(report.currency).value_or(2)) + " " +
                 report.currency;
  }
  writer->End(total);
}

std::expected<void, std::string> WriteSessions(const SessionQuery& query, ReportFormat format,
                                               std::ostream& out) {
  const auto writer = MakeRowWriter(format, out);
  OutputTotal total;
  std::vector<Cell> cells;
  SessionVisitor visitor;
  visitor.begin = [&](const ReportScope& scope) {
    std::vector<OutputColumn> columns;
    for (const auto& column : kSessionColumns) columns.push_back({column.name, column.in_table});
    writer->Begin(scope, std::move(columns));
    return out.good();
  };
  visitor.row = [&](const SessionRow& row) {
    cells.clear();
    for (const auto& column : kSessionColumns) cells.push_back(column.value(row));
    writer->Row(cells);
    ++total.rows;
    ++total.sessions;
    total.billable_bytes += row.totals.billable_bytes();
    return out.good();
  };
  if (auto ok = SessionsReport(query, visitor); !ok) return ok;
  writer->End(total);
  return {};
}

}  // namespace turnpike
