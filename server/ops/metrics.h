// THE table of metrics. A new metric is a row in metrics.cc: name, type, unit, help, reader. Its
// line on the metrics page, its place in the lint test and in the printed list come from the row.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/ops/exposition.h"
#include "server/ops/metrics_source.h"
#include "server/ops/process_usage.h"

namespace turnpike {

// Scrape is everything that one answer shows, read once, so that all rows tell of the same moment.
struct Scrape {
  const MetricsSource::Identity& identity;
  MetricsSource::Gauges gauges;
  std::vector<WorkerView> workers;
  std::shared_ptr<const LedgerStatus> ledger;
  ProcessUsage process;
};

// MetricRow is one row of the table.
struct MetricRow {
  std::string_view name;
  MetricType type;
  std::string_view unit;  // the base unit that the name ends with (before `_total`); empty: a count
  std::string_view help;
  void (*read)(const Scrape& scrape, ExpositionWriter& out);
};

// MetricTable views all rows in the order in which they are shown.
std::span<const MetricRow> MetricTable();

// RenderMetrics reads `source` and the process and returns the whole page, in the text format
// 0.0.4. Any thread may call it.
std::string RenderMetrics(const MetricsSource& source);

// kMetricsContentType is what goes with it.
inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace turnpike
