// CSV by RFC 4180.
#include "common/metering/output.h"

namespace turnpike {
namespace {

// Field makes text harmless and quotes it where RFC 4180 §2 demands. Spreadsheets take text that
// begins with one of these for a formula, even inside quotes. An apostrophe makes it text; one that
// is there already gets another, so that two accounts never share a name.
std::string Field(const std::string& raw) {
  std::string text = PlainText(raw);
  if (!text.empty() && std::string_view("=+-@\t\r'").find(text[0]) != std::string_view::npos) {
    text.insert(0, 1, '\'');
  }
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

struct FieldOf {
  std::string operator()(std::monostate) const { return ""; }
  std::string operator()(const std::string& text) const { return Field(text); }
  std::string operator()(uint64_t count) const { return std::to_string(count); }
  std::string operator()(WallTime time) const { return FormatRfc3339(time); }
  std::string operator()(const Exact& number) const { return number.text; }
  std::string operator()(const CountsByName& counts) const {
    std::string text;
    for (const auto& [name, count] : counts) {
      text += (text.empty() ? "" : " ") + std::string(name) + "=" + std::to_string(count);
    }
    return text;
  }
};

class CsvWriter : public RowWriter {
 public:
  explicit CsvWriter(std::ostream& out) : out_(out) {}

  void Begin(const ReportScope& scope, std::vector<OutputColumn> columns) override {
    for (const OutputColumn& column : columns) out_ << column.name << ',';
    out_ << "as_of,complete\r\n";
    end_ = FormatRfc3339(scope.as_of) + (scope.complete ? ",true\r\n" : ",false\r\n");
  }
  void Row(std::span<const Cell> cells) override {
    for (const Cell& cell : cells) out_ << std::visit(FieldOf{}, cell) << ',';
    out_ << end_;
  }
  void End(const OutputTotal&) override {}

 private:
  std::ostream& out_;
  std::string end_;  // as_of and complete are the same in every row
};

}  // namespace

std::unique_ptr<RowWriter> MakeCsvWriter(std::ostream& out) {
  return std::make_unique<CsvWriter>(out);
}

}  // namespace turnpike
