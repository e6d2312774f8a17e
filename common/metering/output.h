// Writers of reports: a table for people, CSV and JSON for programs. They know cells, not rows.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/metering/columns.h"
#include "common/metering/report.h"

namespace turnpike {

enum class ReportFormat : uint8_t { kTable, kCsv, kJson, kJsonLines };

// ParseReportFormat reads `table`, `csv`, `json` or `jsonl`. It fails with a sentence.
std::expected<ReportFormat, std::string> ParseReportFormat(std::string_view name);

// OutputColumn is what a writer needs to know of a column.
struct OutputColumn {
  std::string_view name;
  InTable in_table;
};

// OutputTotal is what a table says below its rows.
struct OutputTotal {
  uint64_t rows = 0;
  uint64_t sessions = 0;
  uint64_t billable_bytes = 0;
  std::string more = {};     // after sessions and bytes
  std::string summary = {};  // if not empty, what stands there instead of sessions and bytes
};

// RowWriter writes one report: Begin, any number of Row, End. Errors stay in the stream's state.
class RowWriter {
 public:
  virtual ~RowWriter() = default;
  virtual void Begin(const ReportScope& scope, std::vector<OutputColumn> columns) = 0;
  // `cells` are one for each column.
  virtual void Row(std::span<const Cell> cells) = 0;
  virtual void End(const OutputTotal& total) = 0;
};

// MakeTableWriter: columns aligned, numbers plain and to the right, names from outside escaped; a
// line of totals, `as of` and whether the period is complete. Widths come from the first thousand
// rows.
std::unique_ptr<RowWriter> MakeTableWriter(std::ostream& out);

// MakeCsvWriter: RFC 4180 (CRLF, a header, quotes where needed). The last two columns are as_of and
// complete. Text that a spreadsheet would take for a formula gets an apostrophe in front.
std::unique_ptr<RowWriter> MakeCsvWriter(std::ostream& out);

// MakePlainCsvWriter is the same without these two columns, for formats of others.
std::unique_ptr<RowWriter> MakePlainCsvWriter(std::ostream& out);

// MakeJsonWriter: one object with as_of, complete and rows; byte counts are integers.
std::unique_ptr<RowWriter> MakeJsonWriter(std::ostream& out);

// MakeJsonLinesWriter: one object a line and row; as_of and complete are its last members.
std::unique_ptr<RowWriter> MakeJsonLinesWriter(std::ostream& out);

// MakeRowWriter makes the writer of `format`.
std::unique_ptr<RowWriter> MakeRowWriter(ReportFormat format, std::ostream& out);

// PlainText is `text` itself when it is valid UTF-8 without NUL and without `\x`, else EscapeText
// of it. Two different texts never look the same.
std::string PlainText(const std::string& text);

// WriteReport writes a usage report. WriteSessions reads and writes sessions one by one; it fails
// with a sentence when the ledger cannot be read, and stops when the stream fails.
void WriteReport(const Report& report, ReportFormat format, std::ostream& out);
std::expected<void, std::string> WriteSessions(const SessionQuery& query, ReportFormat format,
                                               std::ostream& out);

}  // namespace turnpike
