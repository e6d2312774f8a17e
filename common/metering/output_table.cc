// A table for people.
#include <fmt/format.h>

#include <algorithm>

#include "common/base/log.h"
#include "common/metering/output.h"

namespace turnpike {
namespace {

// Widths are taken from the first rows, so that a list of a million sessions need not be in memory.
constexpr size_t kRowsForWidths = 1000;

// Shown is a cell as text; numbers stand to the right.
struct Shown {
  std::string text;
  bool right = false;
};

struct ToShown {
  Shown operator()(std::monostate) const { return {"-"}; }
  Shown operator()(const std::string& text) const { return {EscapeText(text)}; }
  // Plain digits: they are copied into other programs more often than they are read.
  Shown operator()(uint64_t count) const { return {std::to_string(count), true}; }
  Shown operator()(int64_t count) const { return {std::to_string(count), true}; }
  Shown operator()(WallTime time) const {
    return {FormatRfc3339(std::chrono::floor<std::chrono::seconds>(time))};
  }
  Shown operator()(const Exact& number) const { return {number.text, true}; }
  Shown operator()(const CountsByName& counts) const {
    std::string text;
    for (const auto& [name, count] : counts) text += fmt::format("{}={} ", name, count);
    return {text};
  }
};

// Width counts code points; what is wider or narrower than one place just stands askew.
size_t Width(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

// Bytes renders `count` in the unit that people read: 1.235 GB is 1,235,000,000 bytes, cut.
std::string Bytes(uint64_t count) {
  constexpr std::array<std::pair<uint64_t, const char*>, 4> kUnits = {
      {{1'000'000'000'000, "TB"}, {1'000'000'000, "GB"}, {1'000'000, "MB"}, {1'000, "kB"}}};
  for (const auto& [unit, name] : kUnits) {
    if (count >= unit)
      return fmt::format("{}.{:03} {}", count / unit, count % unit / (unit / 1000), name);
  }
  return fmt::format("{} bytes", count);
}

class TableWriter : public RowWriter {
 public:
  explicit TableWriter(std::ostream& out) : out_(out) {}

  void Begin(const ReportScope& scope, std::vector<OutputColumn> columns) override {
    scope_ = scope;
    columns_ = std::move(columns);
    for (const OutputColumn& column : columns_) {
      if (column.in_table == InTable::kYes) widths_.push_back(column.name.size());
    }
  }
  void Row(std::span<const Cell> cells) override {
    std::vector<Shown> row;
    for (size_t i = 0; i < cells.size(); ++i) {
      if (columns_[i].in_table == InTable::kYes) row.push_back(std::visit(ToShown{}, cells[i]));
    }
    if (header_written_) return Print(row);
    for (size_t i = 0; i < row.size(); ++i) widths_[i] = std::max(widths_[i], Width(row[i].text));
    waiting_.push_back(std::move(row));
    if (waiting_.size() == kRowsForWidths) PrintWaiting();
  }
  void End(const OutputTotal& total) override {
    if (total.rows == 0) {
      out_ << "no usage in this period\n";
    } else {
      PrintWaiting();
      out_ << (total.summary.empty() ? Sums(total) : total.summary) << '\n';
    }
    out_ << "period: " << Bound(scope_.period.from, "the beginning") << " to "
         << Bound(scope_.period.to, "the end") << "\nas of: " << FormatRfc3339(scope_.as_of)
         << (scope_.complete ? ", complete\n" : ", not complete: usage may still be added\n");
  }

 private:
  static std::string Sums(const OutputTotal& total) {
    return fmt::format("total: {} {}, {} billable bytes ({})", total.sessions,
                       total.sessions == 1 ? "session" : "sessions", total.billable_bytes,
                       Bytes(total.billable_bytes)) +
           total.more;
  }

  static std::string Bound(const std::optional<WallTime>& time, const char* open) {
    return time ? FormatRfc3339(*time) : open;
  }

  void PrintWaiting() {
    if (header_written_) return;
    header_written_ = true;
    std::vector<Shown> header;
    size_t i = 0;
    for (const OutputColumn& column : columns_) {
      if (column.in_table != InTable::kYes) continue;
      header.push_back({std::string(column.name), waiting_.front()[i++].right});
    }
    Print(header);
    for (const auto& row : waiting_) Print(row);
    waiting_.clear();
  }

  void Print(const std::vector<Shown>& row) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const size_t width = Width(row[i].text);
      const std::string padding(widths_[i] > width ? widths_[i] - width : 0, ' ');
      if (i > 0) line += "  ";
      line += row[i].right ? padding + row[i].text : row[i].text + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out_ << line << '\n';
  }

  std::ostream& out_;
  ReportScope scope_;
  std::vector<OutputColumn> columns_;
  std::vector<size_t> widths_;               // of the columns that are shown
  std::vector<std::vector<Shown>> waiting_;  // until the widths are known
  bool header_written_ = false;
};

}  // namespace

std::unique_ptr<RowWriter> MakeTableWriter(std::ostream& out) {
  return std::make_unique<TableWriter>(out);
}

}  // namespace turnpike
