#include <fmt/format.h>

#include <array>
#include <cmath>
#include <sstream>

#include "tools/load/plot.h"
#include "tools/load/report.h"
#include "tools/load/report_files.h"

namespace turnpike::load {
namespace {

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>turnpike</title>
<style>
body{font:15px/1.45 system-ui,sans-serif;max-width:800px;margin:2em auto;padding:0 1em;color:#222}
pre{background:#f5f6f8;padding:1em;overflow-x:auto;font-size:12px}
svg{width:100%;height:auto;margin:.6em 0;font:12px system-ui,sans-serif}
svg text{fill:#555}svg text[fill]{fill:revert-layer}
svg .title{font-weight:600;font-size:14px;fill:#222}
.grid{stroke:#e3e5e9}.ok{color:#0a7a3d}.bad{color:#b3261e}
</style></head><body>
)";

Plot LatencyOverTime(const std::vector<Interval>& intervals) {
  Plot plot{"Latency over time", "seconds", "ms", {}, {}};
  const std::array<std::pair<double, const char*>, 3> lines = {
      {{50, "#2b6cb0"}, {99, "#c05621"}, {99.9, "#b3261e"}}};
  for (const auto& [percent, color] : lines) {
    Series series{fmt::format("p{:g}", percent), color, {}};
    for (size_t i = 0; i < intervals.size(); ++i) {
      series.points.emplace_back(static_cast<double>(i),
                                 Millis(intervals[i].latency.Percentile(percent)));
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

Plot Throughput(const std::vector<Interval>& intervals) {
  Plot plot{"Throughput", "seconds", "packets/s", {}, {}};
  Series sent{"sent", "#888888", {}};
  Series received{"received", "#0a7a3d", {}};
  for (size_t i = 0; i < intervals.size(); ++i) {
    const auto second = static_cast<double>(i);
    sent.points.emplace_back(second, static_cast<double>(intervals[i].sent_packets));
    received.points.emplace_back(second, static_cast<double>(intervals[i].received_packets));
  }
  plot.series = {std::move(sent), std::move(received)};
  return plot;
}

Plot Loss(const std::vector<Interval>& intervals) {
  Plot plot{"Loss", "seconds", "%", {}, {}};
  Series series{"lost", "#b3261e", {}};
  for (size_t i = 0; i < intervals.size(); ++i) {
    const auto sent = static_cast<double>(intervals[i].sent_packets);
    const auto received = static_cast<double>(intervals[i].received_packets);
    const double loss = sent > received ? 100 * (sent - received) / sent : 0;
    series.points.emplace_back(static_cast<double>(i), loss);
  }
  plot.series = {std::move(series)};
  return plot;
}

// Every halving of the distance to 100 % has the same width, so that the tail can be seen.
Plot LatencyByPercentile(const RunResult& result) {
  Plot plot{"Latency by percentile", "percentile", "ms", {}, {}};
  const Histogram latency = result.latency();
  Series series{result.echo ? "round trip" : "latency", "#2b6cb0", {}};
  Series lateness{"lateness of the generator", "#888888", {}};
  constexpr double kStep = 0.05;  // of a factor of ten
  constexpr double kMost = 5;     // 99.999 %
  for (int i = 0; i * kStep <= kMost + kStep / 2; ++i) {
    const double tens = i * kStep;
    const double percent = 100 * (1 - std::pow(10, -tens));
    series.points.emplace_back(tens, Millis(latency.Percentile(percent)));
    lateness.points.emplace_back(tens, Millis(result.measurements.lateness.Percentile(percent)));
  }
  plot.series = {std::move(series), std::move(lateness)};
  plot.x_labels = {{0, "0"}, {1, "90"}, {2, "99"}, {3, "99.9"}, {4, "99.99"}, {5, "99.999"}};
  return plot;
}

}  // namespace

void WriteHtml(const RunResult& result, std::span<const Verdict> verdicts, std::ostream& out) {
  out << kHead << "<h1>turnpike " << result.command << ": " << EscapeXml(result.server)
      << "</h1>\n<p>" << FormatRfc3339(result.started_at) << "</p>\n";
  if (!result.error.empty()) out << "<p class=\"bad\">" << EscapeXml(result.error) << "</p>\n";
  for (const Verdict& verdict : verdicts) {
    out << fmt::format("<div class=\"{}\">{} {}</div>\n", verdict.passed ? "ok" : "bad",
                       verdict.passed ? "✓" : "✗", EscapeXml(verdict.detail));
  }
  const auto& intervals = result.measurements.timeline.intervals();
  if (!intervals.empty()) {
    out << DrawSvg(LatencyOverTime(intervals)) << DrawSvg(Throughput(intervals))
        << DrawSvg(Loss(intervals)) << DrawSvg(LatencyByPercentile(result));
  }
  std::ostringstream table;
  WriteTable(result, table);
  out << "<pre>" << EscapeXml(table.str()) << "</pre>\n</body></html>\n";
}

}  // namespace turnpike::load
