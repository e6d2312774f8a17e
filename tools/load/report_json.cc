#include <nlohmann/json.hpp>

#include "tools/load/report.h"

namespace turnpike::load {
namespace {

using Json = nlohmann::ordered_json;

Json OfHistogram(const Histogram& histogram) {
  return {{"count", histogram.count()},
          {"min", Micros(histogram.min())},
          {"mean", Micros(histogram.mean())},
          {"p50", Micros(histogram.Percentile(50))},
          {"p90", Micros(histogram.Percentile(90))},
          {"p99", Micros(histogram.Percentile(99))},
          {"p99.9", Micros(histogram.Percentile(99.9))},
          {"max", Micros(histogram.max())}};
}

Json OfCounts(const FlowCounts& counts) {
  return {{"sent_packets", counts.sent_packets},
          {"sent_bytes", counts.sent_bytes},
          {"received_packets", counts.received_packets},
          {"received_bytes", counts.received_bytes},
          {"lost_packets", counts.lost_packets()},
          {"duplicate_packets", counts.duplicate_packets},
          {"reordered_packets", counts.reordered_packets},
          {"unsent_packets", counts.unsent_packets}};
}

Json OfCost(const ProcessCost& cost, const RunResult& result) {
  return {{"cpu_seconds", cost.cpu_seconds},
          {"cpu_us_per_packet", CpuMicrosPerPacket(cost, result)},
          {"resident_bytes", cost.resident_bytes}};
}

Json OfBilling(const BillingResult& billing) {
  Json differences = Json::array();
  for (const BillingDifference& each : billing.differences) {
    differences.push_back({{"what", each.what},
                           {"generator_low", each.generator_low},
                           {"generator_high", each.generator_high},
                           {"server", each.server}});
  }
  Json json = {{"passed", billing.passed()},
               {"sessions", billing.sessions},
               {"generator_bytes", billing.generator_bytes},
               {"ledger_bytes", billing.ledger_bytes},
               {"metrics_bytes", nullptr},
               {"undecided_bytes", billing.undecided_bytes},
               {"differences", differences},
               {"error", billing.error}};
  if (billing.metrics_bytes) json["metrics_bytes"] = *billing.metrics_bytes;
  return json;
}

Json OfForecast(const ForecastResult& forecast) {
  return {{"passed", forecast.passed()},
          {"forecast_bytes", forecast.forecast_bytes},
          {"forecast_total", forecast.forecast_total},
          {"ledger_bytes", forecast.ledger_bytes},
          {"ledger_total", forecast.ledger_total},
          {"error", forecast.error}};
}

Json OfIntervals(const Timeline& timeline) {
  Json rows = Json::array();
  for (const Interval& interval : timeline.intervals()) {
    rows.push_back({{"sent_packets", interval.sent_packets},
                    {"received_packets", interval.received_packets},
                    {"received_bytes", interval.received_bytes},
                    {"p50_us", Micros(interval.latency.Percentile(50))},
                    {"p99_us", Micros(interval.latency.Percentile(99))},
                    {"max_us", Micros(interval.latency.max())}});
  }
  return rows;
}

}  // namespace

void WriteJson(const RunResult& result, std::ostream& out) {
  Json failures = Json::object();
  uint64_t failed = 0;
  for (const auto& [reason, count] : result.failures()) {
    failures[reason] = count;
    failed += count;
  }
  const Measurements& measured = result.measurements;
  Json json = {
      {"server", result.server},
      {"started_at", FormatRfc3339(result.started_at)},
      {"seconds", result.seconds},
      {"interrupted", result.interrupted},
      {"error", result.error},
      {"sessions", result.sessions.size()},
      {"failed_sessions", failed},
      {"failures", failures},
      {"relayed_packets", result.relayed_packets()},
      {"relayed_bytes", result.relayed_bytes()},
      {"loss", result.loss()},
      {"latency_us", OfHistogram(result.latency())},
      {"client_to_peer", OfCounts(result.totals(Direction::kClientToPeer))},
      {"peer_to_client", OfCounts(result.totals(Direction::kPeerToClient))},
      {"client_to_peer_latency_us", OfHistogram(measured.latency[0])},
      {"peer_to_client_latency_us", OfHistogram(measured.latency[1])},
      {"generator", OfCost(result.generator, result)},
      {"lateness_us", OfHistogram(measured.lateness)},
      {"gap_error_us", OfHistogram(measured.gap_error)},
      {"generator_lost_packets", result.unsent_packets() + result.kernel_drops()},
      {"packets_per_train", result.packets_per_train()},
      {"foreign_packets", measured.foreign_packets},
      {"server_process", nullptr},
      {"billing", nullptr},
      {"forecast", nullptr},
      {"intervals", OfIntervals(measured.timeline)},
  };
  if (result.server_cost) json["server_process"] = OfCost(*result.server_cost, result);
  if (result.billing) json["billing"] = OfBilling(*result.billing);
  if (result.forecast) json["forecast"] = OfForecast(*result.forecast);
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

}  // namespace turnpike::load
