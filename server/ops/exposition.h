// The Prometheus text exposition format, version 0.0.4, written from integers.
//
// prometheus-cpp is not used for it: its values are doubles, and its serializer prints 2^53 + 1 as
// 9007199254740992 and 123456789012345678 as 1.234567890123457e+17. A byte count that is compared
// with the ledger and with invoices must be printed exactly, and the format is small.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace turnpike {

enum class MetricType : uint8_t { kCounter, kGauge, kHistogram };

// Value is a number in units of 10^-decimals: 1500 with 3 decimals is 1.5. So milliseconds become
// seconds without a double.
struct Value {
  uint64_t number = 0;
  int decimals = 0;

  // ToString renders the exact number, without zeros at the end of a fraction.
  std::string ToString() const;
};

// Label is one label of a sample, its value as text that EscapeText would not change, or would not
// need to: build one from outside bytes with LabelOf.
struct Label {
  std::string_view name;
  std::string value;
};

// LabelOf escapes `bytes` from outside into valid UTF-8. Different bytes give different labels.
Label LabelOf(std::string_view name, std::string_view bytes);

// ExpositionWriter writes one metric family at a time.
class ExpositionWriter {
 public:
  // Begin starts the family `name`: what follows are its samples. A family without samples is left
  // out of the text, header and all.
  void Begin(std::string_view name, MetricType type, std::string_view help);

  // Add writes one sample of a counter or a gauge.
  void Add(Value value, std::span<const Label> labels = {});
  void Add(uint64_t value, std::initializer_list<Label> labels) {
    Add(Value{value}, std::span(labels.begin(), labels.size()));
  }
  void Add(uint64_t value) { Add(Value{value}); }

  // AddHistogram writes `_bucket`, `_sum` and `_count`. `counts` are not cumulative and have one
  // more element than `bounds`: what lies above the last bound. The bounds have `bound_decimals`.
  void AddHistogram(std::span<const uint32_t> bounds, int bound_decimals,
                    std::span<const uint64_t> counts, Value sum);

  // text returns what was written.
  const std::string& text() const { return text_; }

 private:
  void WriteHeader();
  void WriteSample(std::string_view suffix, std::span<const Label> labels, Value value);

  std::string text_;
  std::string_view name_;
  MetricType type_ = MetricType::kGauge;
  std::string_view help_;
  bool has_header_ = false;
};

}  // namespace turnpike
