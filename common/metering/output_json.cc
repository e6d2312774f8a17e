// JSON, written row by row: a report may be larger than memory.
#include <nlohmann/json.hpp>

#include "common/metering/output.h"

namespace turnpike {
namespace {

using OrderedJson = nlohmann::ordered_json;

struct CellToJson {
  OrderedJson operator()(std::monostate) const { return nullptr; }
  OrderedJson operator()(const std::string& text) const { return PlainText(text); }
  OrderedJson operator()(uint64_t count) const { return count; }
  OrderedJson operator()(int64_t count) const { return count; }
  OrderedJson operator()(WallTime time) const { return FormatRfc3339(time); }
  OrderedJson operator()(const Exact& number) const { return number.text; }
  OrderedJson operator()(const CountsByName& counts) const {
    OrderedJson object = OrderedJson::object();
    for (const auto& [name, count] : counts) object[std::string(name)] = count;
    return object;
  }
};

OrderedJson ObjectOf(std::span<const OutputColumn> columns, std::span<const Cell> cells) {
  OrderedJson object;
  for (size_t i = 0; i < cells.size(); ++i) {
    object[std::string(columns[i].name)] = std::visit(CellToJson{}, cells[i]);
  }
  return object;
}

class JsonWriter : public RowWriter {
 public:
  explicit JsonWriter(std::ostream& out) : out_(out) {}

  void Begin(const ReportScope& scope, std::vector<OutputColumn> columns) override {
    columns_ = std::move(columns);
    out_ << "{\"as_of\": " << OrderedJson(FormatRfc3339(scope.as_of)).dump()
         << ", \"complete\": " << (scope.complete ? "true" : "false") << ", \"rows\": [";
  }
  void Row(std::span<const Cell> cells) override {
    out_ << separator_ << ObjectOf(columns_, cells).dump();
    separator_ = ",\n";
  }
  void End(const OutputTotal& total) override { out_ << (total.rows == 0 ? "]}\n" : "\n]}\n"); }

 private:
  std::ostream& out_;
  std::vector<OutputColumn> columns_;
  const char* separator_ = "\n";
};

class JsonLinesWriter : public RowWriter {
 public:
  explicit JsonLinesWriter(std::ostream& out) : out_(out) {}

  void Begin(const ReportScope& scope, std::vector<OutputColumn> columns) override {
    columns_ = std::move(columns);
    scope_ = scope;
  }
  void Row(std::span<const Cell> cells) override {
    OrderedJson object = ObjectOf(columns_, cells);
    object["as_of"] = FormatRfc3339(scope_.as_of);
    object["complete"] = scope_.complete;
    out_ << object.dump() << '\n';
  }
  void End(const OutputTotal&) override {}

 private:
  std::ostream& out_;
  std::vector<OutputColumn> columns_;
  ReportScope scope_;
};

}  // namespace

std::unique_ptr<RowWriter> MakeJsonWriter(std::ostream& out) {
  return std::make_unique<JsonWriter>(out);
}

std::unique_ptr<RowWriter> MakeJsonLinesWriter(std::ostream& out) {
  return std::make_unique<JsonLinesWriter>(out);
}

}  // namespace turnpike
