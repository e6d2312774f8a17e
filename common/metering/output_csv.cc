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
  std::string operator()(int64_t count) const { return std::to_string(count); }
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
  CsvWriter(std::ostream& out, bool has_scope) : out_(out), has_scope_(has_scope) {}

  void Begin(const ReportScope& scope, std::vector<OutputColumn> columns) override {
    for (const OutputColumn& column : columns) Put(std::string(column.name));
    if (has_scope_) Put("as_of"), Put("complete");
    EndRow();
    as_of_ = FormatRfc3339(scope.as_of);
    complete_ = scope.complete ? "true" : "false";
  }
  void Row(std::span<const Cell> cells) override {
    for (const Cell& cell : cells) Put(std::visit(FieldOf{}, cell));
    if (has_scope_) Put(as_of_), Put(complete_);
    EndRow();
  }
  void End(const OutputTotal&) override {}

 private:
  void Put(const std::string& field) {
    out_ << separator_ << field;
    separator_ = ",";
  }
  void EndRow() {
    out_ << "\r\n";
    separator_ = "";
  }

  std::ostream& out_;
  bool has_scope_;
  const char* separator_ = "";
  std::string as_of_;  // it and complete are the same in every row
  std::string complete_;
};

}  // namespace

std::unique_ptr<RowWriter> MakeCsvWriter(std::ostream& out) {
  return std::make_unique<CsvWriter>(out, true);
}

std::unique_ptr<RowWriter> MakePlainCsvWriter(std::ostream& out) {
  return std::make_unique<CsvWriter>(out, false);
}

}  // namespace turnpike
