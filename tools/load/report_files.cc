#include "tools/load/report_files.h"

#include <fmt/format.h>

#include <cmath>
#include <vector>

namespace turnpike::load {
namespace {

struct TestCase {
  std::string name;
  std::string failure;  // empty: passed
};

std::vector<TestCase> TestCases(const RunResult& result, std::span<const Verdict> verdicts) {
  std::vector<TestCase> cases;
  std::string failure = result.error;
  for (const auto& [reason, count] : result.failures()) {
    failure += fmt::format("{}{} x {}", failure.empty() ? "" : "\n", count, reason);
  }
  cases.push_back({"run", failure});
  if (result.billing) {
    std::string difference = result.billing->error;
    for (const BillingDifference& each : result.billing->differences) {
      difference += fmt::format("{}{}: generator {}, server {}", difference.empty() ? "" : "\n",
                                each.what, each.generator_low, each.server);
    }
    cases.push_back({"billing", difference});
  }
  if (const auto& forecast = result.forecast) {
    const std::string differs =
        fmt::format("forecast {} bytes, {}; ledger {} bytes, {}", forecast->forecast_bytes,
                    forecast->forecast_total, forecast->ledger_bytes, forecast->ledger_total);
    cases.push_back({"forecast", forecast->passed()        ? ""
                                 : forecast->error.empty() ? differs
                                                           : forecast->error});
  }
  for (const Verdict& verdict : verdicts) {
    cases.push_back({verdict.text, verdict.passed ? "" : verdict.detail});
  }
  return cases;
}

}  // namespace

std::string EscapeXml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        // XML 1.0 has no other control characters, not even escaped.
        escaped += static_cast<unsigned char>(c) < 0x20 && c != '\n' ? '?' : c;
    }
  }
  return escaped;
}

void WriteHdr(const Histogram& histogram, std::ostream& out) {
  out << "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
  // HdrHistogram's own steps: five for each halving of the distance to 100 %.
  constexpr double kStepsPerHalving = 5;
  const auto total = static_cast<double>(histogram.count());
  double next = 0;
  uint64_t seen = 0;
  uint64_t left = histogram.count();
  histogram.Buckets([&](Duration highest, uint64_t count) {
    seen += count;
    left -= count;
    const double share = static_cast<double>(seen) / total;
    if (share < next && left > 0) return;
    if (left == 0) {
      out << fmt::format("{:12.3f} {:2.12f} {:10}\n", Millis(highest), 1.0, seen);
      return;
    }
    out << fmt::format("{:12.3f} {:2.12f} {:10} {:14.2f}\n", Millis(highest), share, seen,
                       1 / (1 - share));
    while (next <= share) {
      const double halvings = std::floor(std::log2(1 / (1 - next))) + 1;
      next += (1 / std::exp2(halvings)) / kStepsPerHalving;
    }
  });
  out << fmt::format("#[Mean    = {:12.3f}, StdDeviation   = {:12.3f}]\n", Millis(histogram.mean()),
                     Millis(histogram.standard_deviation()));
  out << fmt::format("#[Max     = {:12.3f}, Total count    = {:12}]\n", Millis(histogram.max()),
                     histogram.count());
  out << "#[Buckets =           30, SubBuckets     =         2048]\n";
}

void WriteJUnit(const RunResult& result, std::span<const Verdict> verdicts, std::ostream& out) {
  const auto cases = TestCases(result, verdicts);
  size_t failures = 0;
  for (const TestCase& each : cases) failures += each.failure.empty() ? 0 : 1;
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      << fmt::format(
             "<testsuite name=\"turnpike {}\" tests=\"{}\" failures=\"{}\" time=\"{:.3f}\" "
             "timestamp=\"{}\">\n",
             result.command, cases.size(), failures, result.seconds,
             FormatRfc3339(result.started_at));
  for (const TestCase& each : cases) {
    out << fmt::format("  <testcase classname=\"turnpike.{}\" name=\"{}\"", result.command,
                       EscapeXml(each.name));
    if (each.failure.empty()) {
      out << "/>\n";
    } else {
      out << fmt::format(">\n    <failure message=\"{}\"/>\n  </testcase>\n",
                         EscapeXml(each.failure));
    }
  }
  out << "</testsuite>\n";
}

}  // namespace turnpike::load
