#include "tools/load/threshold.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <utility>

#include "tools/load/report.h"

namespace turnpike::load {
namespace {

using Metric = Threshold::Metric;
using Relation = Threshold::Relation;

constexpr std::pair<std::string_view, Metric> kNames[] = {
    {"loss", Metric::kLoss},
    {"mean", Metric::kMeanLatency},
    {"failed", Metric::kFailed},
    {"duplicates", Metric::kDuplicates},
    {"reordered", Metric::kReordered},
    {"server-cpu", Metric::kServerCpu},
    {"generator-cpu", Metric::kGeneratorCpu},
    {"pps", Metric::kRate},
};

std::optional<double> ReadNumber(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

// ReadPercentile reads `max`, or `p` and a number from 0 to 100.
std::optional<double> ReadPercentile(std::string_view name) {
  if (name == "max") return 100;
  if (!name.starts_with('p')) return std::nullopt;
  const auto number = ReadNumber(name.substr(1));
  return number && *number <= 100 ? number : std::nullopt;
}

bool SetMetric(std::string_view name, Threshold& threshold) {
  for (const auto& [known, metric] : kNames) {
    if (known != name) continue;
    threshold.metric = metric;
    return true;
  }
  threshold.metric = Metric::kLatency;
  for (const auto& [prefix, metric] :
       {std::pair<std::string_view, Metric>{"lateness-", Metric::kLateness},
        {"gap-", Metric::kGapError}}) {
    if (!name.starts_with(prefix)) continue;
    threshold.metric = metric;
    name.remove_prefix(prefix.size());
    break;
  }
  const auto percentile = ReadPercentile(name);
  threshold.percentile = percentile.value_or(0);
  return percentile.has_value();
}

bool IsTime(Metric metric) {
  return metric == Metric::kLatency || metric == Metric::kMeanLatency ||
         metric == Metric::kLateness || metric == Metric::kGapError ||
         metric == Metric::kServerCpu || metric == Metric::kGeneratorCpu;
}

// UnitFactor is what a value in that unit is multiplied with; nullopt when the metric has no such
// unit.
std::optional<double> UnitFactor(Metric metric, std::string_view unit) {
  if (IsTime(metric)) {
    if (unit == "us") return 1;
    if (unit == "ms") return 1e3;
    if (unit == "s") return 1e6;
    return std::nullopt;
  }
  if (metric == Metric::kLoss && unit == "%") return 0.01;
  return unit.empty() ? std::optional(1.0) : std::nullopt;
}

// Measure returns nullopt for what the run did not measure.
std::optional<double> Measure(const Threshold& threshold, const RunResult& result) {
  FlowCounts sum = result.totals(Direction::kClientToPeer);
  sum += result.totals(Direction::kPeerToClient);
  const bool has_packets = sum.received_packets > 0;
  switch (threshold.metric) {
    case Metric::kLoss:
      return sum.sent_packets > 0 ? std::optional(result.loss()) : std::nullopt;
    case Metric::kLatency:
      if (!has_packets) return std::nullopt;
      return Micros(result.latency().Percentile(threshold.percentile));
    case Metric::kMeanLatency:
      return has_packets ? std::optional(Micros(result.latency().mean())) : std::nullopt;
    case Metric::kLateness:
      return Micros(result.measurements.lateness.Percentile(threshold.percentile));
    case Metric::kGapError:
      if (result.measurements.gap_error.count() == 0) return std::nullopt;
      return Micros(result.measurements.gap_error.Percentile(threshold.percentile));
    case Metric::kFailed: {
      double failed = 0;
      for (const auto& [reason, count] : result.failures()) failed += static_cast<double>(count);
      return failed;
    }
    case Metric::kDuplicates:
      return static_cast<double>(sum.duplicate_packets);
    case Metric::kReordered:
      return static_cast<double>(sum.reordered_packets);
    case Metric::kServerCpu:
      if (!result.server_cost) return std::nullopt;
      return CpuMicrosPerPacket(*result.server_cost, result);
    case Metric::kGeneratorCpu:
      return CpuMicrosPerPacket(result.generator, result);
    case Metric::kRate:
      if (result.seconds <= 0) return std::nullopt;
      return static_cast<double>(result.relayed_packets()) / result.seconds;
  }
  return std::nullopt;
}

bool Holds(double measured, Relation relation, double value) {
  switch (relation) {
    case Relation::kLess:
      return measured < value;
    case Relation::kLessOrEqual:
      return measured <= value;
    case Relation::kGreater:
      return measured > value;
    case Relation::kGreaterOrEqual:
      break;
  }
  return measured >= value;
}

std::string Shown(Metric metric, double value) {
  if (metric == Metric::kLoss) return fmt::format("{:.4f}%", 100 * value);
  if (!IsTime(metric)) return fmt::format("{:.0f}", value);
  return FormatLatency(Duration(static_cast<int64_t>(1e3 * value)));
}

}  // namespace

std::expected<Threshold, std::string> ParseThreshold(std::string_view text) {
  Threshold threshold;
  threshold.text = text;
  const std::string quoted = "`" + threshold.text + "`: ";
  const size_t sign = text.find_first_of("<>");
  if (sign == std::string_view::npos) {
    return std::unexpected(quoted + "write for example loss<0.1% or p99<5ms");
  }
  const bool less = text[sign] == '<';
  const bool or_equal = text.substr(sign + 1).starts_with('=');
  threshold.relation = less ? (or_equal ? Relation::kLessOrEqual : Relation::kLess)
                            : (or_equal ? Relation::kGreaterOrEqual : Relation::kGreater);
  if (!SetMetric(text.substr(0, sign), threshold)) {
    return std::unexpected(quoted +
                           "nothing is measured under that name; there are loss, p50 to p99.999, "
                           "mean, max, lateness-p99, lateness-max, gap-p99 (of a replay), failed, "
                           "duplicates, reordered, server-cpu, generator-cpu and pps");
  }
  const std::string_view rest = text.substr(sign + (or_equal ? 2 : 1));
  const size_t unit = std::min(rest.find_first_not_of("0123456789."), rest.size());
  const auto number = ReadNumber(rest.substr(0, unit));
  const auto factor = UnitFactor(threshold.metric, rest.substr(unit));
  if (!number || !factor) {
    const std::string_view wanted = IsTime(threshold.metric)            ? "a time: 850us, 5ms or 1s"
                                    : threshold.metric == Metric::kLoss ? "a share: 0.1%"
                                                                        : "a number";
    return std::unexpected(quoted + "what follows the sign is " + std::string(wanted));
  }
  threshold.value = *number * *factor;
  return threshold;
}

Verdict Judge(const Threshold& threshold, const RunResult& result) {
  Verdict verdict;
  verdict.text = threshold.text;
  const auto measured = Measure(threshold, result);
  verdict.passed = measured && Holds(*measured, threshold.relation, threshold.value);
  verdict.measured = measured.value_or(0);
  verdict.detail =
      threshold.text + ": " + (measured ? Shown(threshold.metric, *measured) : "was not measured");
  return verdict;
}

}  // namespace turnpike::load
