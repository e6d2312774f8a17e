#include "server/ops/exposition.h"

#include <array>

#include "common/base/check.h"
#include "common/base/log.h"

namespace turnpike {
namespace {

std::string_view TypeName(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      break;
  }
  return "histogram";
}

// AppendLabelValue escapes what the format itself needs escaped inside quotes.
void AppendLabelValue(std::string& out, std::string_view value) {
  for (const char c : value) {
    switch (c) {
      case '\\':
        out += "\\\\";
        break;
      case '"':
        out += "\\\"";
        break;
      case '\n':
        out += "\\n";
        break;
      default:
        out += c;
    }
  }
}

}  // namespace

std::string Value::ToString() const {
  std::string digits = std::to_string(number);
  const auto places = static_cast<size_t>(decimals);
  if (places == 0) return digits;
  if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
  digits.insert(digits.size() - places, 1, '.');
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.back() == '.') digits.pop_back();
  return digits;
}

Label LabelOf(std::string_view name, std::string_view bytes) { return {name, EscapeText(bytes)}; }

void ExpositionWriter::Begin(std::string_view name, MetricType type, std::string_view help) {
  name_ = name;
  type_ = type;
  help_ = help;
  has_header_ = false;
}

void ExpositionWriter::Add(Value value, std::span<const Label> labels) {
  TP_CHECK(type_ != MetricType::kHistogram);
  WriteSample("", labels, value);
}

void ExpositionWriter::AddHistogram(std::span<const uint32_t> bounds, int bound_decimals,
                                    std::span<const uint64_t> counts, Value sum) {
  TP_CHECK(type_ == MetricType::kHistogram && counts.size() == bounds.size() + 1);
  uint64_t cumulative = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    cumulative += counts[i];
    const bool last = i == bounds.size();
    const std::array label = {
        Label{"le", last ? "+Inf" : Value{bounds[i], bound_decimals}.ToString()}};
    WriteSample("_bucket", label, Value{cumulative});
  }
  WriteSample("_sum", {}, sum);
  // The count is the sum of the buckets read above, so that a scrape beside a running worker never
  // shows a histogram that contradicts itself.
  WriteSample("_count", {}, Value{cumulative});
}

void ExpositionWriter::WriteHeader() {
  text_.append("# HELP ").append(name_).append(" ").append(help_).append("\n# TYPE ");
  text_.append(name_).append(" ").append(TypeName(type_)).append("\n");
  has_header_ = true;
}

void ExpositionWriter::WriteSample(std::string_view suffix, std::span<const Label> labels,
                                   Value value) {
  if (!has_header_) WriteHeader();
  text_.append(name_).append(suffix);
  char separator = '{';
  for (const Label& label : labels) {
    text_.push_back(separator);
    text_.append(label.name).append("=\"");
    AppendLabelValue(text_, label.value);
    text_.push_back('"');
    separator = ',';
  }
  if (!labels.empty()) text_.push_back('}');
  text_.append(" ").append(value.ToString()).append("\n");
}

}  // namespace turnpike
