#include <fmt/format.h>

#include <array>
#include <chrono>

#include "tools/load/report.h"

namespace turnpike::load {
namespace {

constexpr std::array<double, 5> kPercentiles = {50, 90, 99, 99.9, 100};

void WriteDirections(const RunResult& result, std::ostream& out) {
  out << fmt::format("{:<16} {:>12} {:>12} {:>9} {:>10} {:>10} {:>10} {:>15}\n", "", "sent",
                     "received", "lost", "loss", "duplicate", "reordered", "bytes received");
  for (int i = 0; i < kDirectionCount; ++i) {
    const auto direction = static_cast<Direction>(i);
    const FlowCounts counts = result.totals(direction);
    if (counts.sent_packets == 0 && counts.received_packets == 0) continue;
    const double loss = counts.sent_packets == 0 ? 0
                                                 : static_cast<double>(counts.lost_packets()) /
                                                       static_cast<double>(counts.sent_packets);
    out << fmt::format("{:<16} {:>12} {:>12} {:>9} {:>9.4f}% {:>10} {:>10} {:>15}\n",
                       DirectionName(direction), counts.sent_packets, counts.received_packets,
                       counts.lost_packets(), 100 * loss, counts.duplicate_packets,
                       counts.reordered_packets, counts.received_bytes);
  }
}

void WriteHistogram(std::string_view name, const Histogram& histogram, std::ostream& out) {
  if (histogram.count() == 0) return;
  out << fmt::format("{:<26}", name);
  for (const double percent : kPercentiles) {
    out << fmt::format(" {:>11}", FormatLatency(histogram.Percentile(percent)));
  }
  out << fmt::format(" {:>11}\n", FormatLatency(histogram.mean()));
}

void WriteLatencies(const RunResult& result, std::ostream& out) {
  out << fmt::format("\n{:<26} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11}\n", "", "p50", "p90",
                     "p99", "p99.9", "max", "mean");
  const auto& latency = result.measurements.latency;
  WriteHistogram("latency client to peer", latency[0], out);
  WriteHistogram(result.echo ? "round trip" : "latency peer to client", latency[1], out);
  WriteHistogram("lateness of the generator", result.measurements.lateness, out);
  WriteHistogram("error of its gaps", result.measurements.gap_error, out);
}

void WriteCost(std::string_view name, const ProcessCost& cost, const RunResult& result,
               std::ostream& out) {
  out << fmt::format("{:<11} {:>8.2f} s CPU {:>8.2f} us per relayed packet {:>8.1f} MiB resident\n",
                     name, cost.cpu_seconds, CpuMicrosPerPacket(cost, result),
                     static_cast<double>(cost.resident_bytes) / (1 << 20));
}

void WriteBilling(const BillingResult& billing, std::ostream& out) {
  if (!billing.error.empty()) {
    out << "billing: " << billing.error << "\n";
    return;
  }
  out << fmt::format("billing: {} sessions compared, generator {} bytes, ledger {} bytes",
                     billing.sessions, billing.generator_bytes, billing.ledger_bytes);
  if (billing.metrics_bytes) out << fmt::format(", metrics {} bytes", *billing.metrics_bytes);
  out << fmt::format(": {}\n", billing.differences.empty()
                                   ? "difference 0"
                                   : fmt::format("{} differ", billing.differences.size()));
  if (billing.undecided_bytes > 0) {
    out << fmt::format(
        "  {} bytes were lost on the way; whether before or after the server, only it knows\n",
        billing.undecided_bytes);
  }
  constexpr size_t kShown = 20;
  size_t shown = 0;
  for (const BillingDifference& difference : billing.differences) {
    if (++shown > kShown) {
      out << "  ...\n";
      break;
    }
    out << fmt::format("  {}: the generator counts {}", difference.what, difference.generator_low);
    if (difference.generator_high != difference.generator_low) {
      out << fmt::format(" to {}", difference.generator_high);
    }
    out << fmt::format(" bytes, the server {}\n", difference.server);
  }
}

void WriteForecast(const ForecastResult& forecast, std::ostream& out) {
  if (!forecast.error.empty()) {
    out << "forecast: " << forecast.error << "\n";
    return;
  }
  out << fmt::format("forecast: {} bytes, {}; ledger: {} bytes, {}: {}\n", forecast.forecast_bytes,
                     forecast.forecast_total, forecast.ledger_bytes, forecast.ledger_total,
                     forecast.is_equal ? "equal" : "DIFFERENT");
}

}  // namespace

double CpuMicrosPerPacket(const ProcessCost& cost, const RunResult& result) {
  const uint64_t packets = result.relayed_packets();
  return packets == 0 ? 0 : 1e6 * cost.cpu_seconds / static_cast<double>(packets);
}

std::string FormatLatency(Duration duration) {
  const auto ns = static_cast<double>(duration.count());
  if (ns < 1e3) return fmt::format("{} ns", duration.count());
  if (ns < 1e6) return fmt::format("{:.1f} us", ns / 1e3);
  if (ns < 1e9) return fmt::format("{:.2f} ms", ns / 1e6);
  return fmt::format("{:.2f} s", ns / 1e9);
}

void WriteTable(const RunResult& result, std::ostream& out) {
  const auto failures = result.failures();
  uint64_t failed = 0;
  for (const auto& [reason, count] : failures) failed += count;
  out << fmt::format("{}: {} sessions, {} failed, {:.1f} s of traffic{}\n", result.server,
                     result.sessions.size(), failed, result.seconds,
                     result.interrupted ? " (interrupted)" : "");
  for (const auto& [reason, count] : failures) out << fmt::format("  {} x {}\n", count, reason);
  const uint64_t packets = result.relayed_packets();
  if (packets > 0) {
    WriteDirections(result, out);
    WriteLatencies(result, out);
    const double seconds = result.seconds > 0 ? result.seconds : 1;
    out << fmt::format("\nrelayed     {:.0f} packets/s, {:.1f} Mbit/s of payload\n",
                       static_cast<double>(packets) / seconds,
                       8e-6 * static_cast<double>(result.relayed_bytes()) / seconds);
    WriteCost("generator", result.generator, result, out);
    if (result.server_cost) WriteCost("server", *result.server_cost, result, out);
    out << fmt::format(
        "generator's own losses: {} packets not sent, {} dropped at its own sockets\n",
        result.unsent_packets(), result.kernel_drops());
    if (result.packets_per_train() > 1.05) {
      out << fmt::format("packets of a flow that left together: {:.1f} in the mean\n",
                         result.packets_per_train());
    }
  }
  if (result.billing) WriteBilling(*result.billing, out);
  if (result.forecast) WriteForecast(*result.forecast, out);
}

}  // namespace turnpike::load
