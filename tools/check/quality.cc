#include "tools/check/quality.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace turnpike::check {
namespace {

double Milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// Percentile is the nearest-rank one of `sorted`, which is not empty.
double Percentile(const std::vector<double>& sorted, double percent) {
  const auto rank =
      static_cast<size_t>(std::ceil(percent / 100 * static_cast<double>(sorted.size())));
  return sorted[std::max<size_t>(rank, 1) - 1];
}

// KbitsOf counts the time in which packets arrived as that between the first and the last, and one
// interval for the last itself. Lost ones do not narrow a path: they count as loss, so the time of
// `span` sequences is held against the time that their arrival took.
double KbitsOf(const Stream& stream, const Arrival& first, const Arrival& last) {
  const double sequences = static_cast<double>(last.sequence) - first.sequence + 1;
  const double seconds =
      std::chrono::duration<double>(last.arrived - first.arrived + stream.interval).count();
  if (seconds <= 0 || sequences <= 0) return 0;
  return std::min(sequences * stream.payload_size * 8 / seconds / 1000, stream.kbits());
}

}  // namespace

double Stream::kbits() const {
  const double seconds = std::chrono::duration<double>(interval).count();
  return seconds > 0 ? payload_size * 8 / seconds / 1000 : 0;
}

double Quality::loss_percent() const {
  return stream.count == 0 ? 0 : 100.0 * (stream.count - received) / stream.count;
}

Quality Measure(const Stream& stream, std::span<const Arrival> arrivals) {
  Quality quality{.stream = stream, .round_trips = std::vector<double>(stream.count, -1.0)};
  std::vector<double> sorted;
  std::optional<Arrival> previous, first, last;
  for (const Arrival& arrival : arrivals) {
    if (arrival.sequence >= stream.count) continue;
    double& known = quality.round_trips[arrival.sequence];
    if (known >= 0) {
      ++quality.duplicated;
      continue;
    }
    known = std::max(0.0, Milliseconds(arrival.arrived - arrival.sent));
    sorted.push_back(known);
    if (previous) {
      // RFC 3550 §6.4.1: J(i) = J(i-1) + (|D(i-1,i)| - J(i-1))/16.
      const double difference = std::abs(
          Milliseconds((arrival.arrived - previous->arrived) - (arrival.sent - previous->sent)));
      quality.jitter += (difference - quality.jitter) / 16;
    }
    previous = arrival;
    if (!first) first = arrival;
    if (last && arrival.sequence < last->sequence) {
      ++quality.reordered;
    } else {
      last = arrival;
    }
  }
  quality.received = static_cast<uint32_t>(sorted.size());
  if (sorted.empty()) return quality;
  std::ranges::sort(sorted);
  quality.rtt_min = sorted.front();
  quality.rtt_p50 = Percentile(sorted, 50);
  quality.rtt_p95 = Percentile(sorted, 95);
  quality.kbits = KbitsOf(stream, *first, *last);
  return quality;
}

}  // namespace turnpike::check
