#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <ostream>

#include "common/base/version.h"
#include "tools/check/report.h"

namespace turnpike::check {
namespace {

using nlohmann::ordered_json;

// Rounded keeps a report readable: microseconds.
double Rounded(double value) { return std::round(value * 1000) / 1000; }

ordered_json Json(const Quality& quality) {
  ordered_json trips = ordered_json::array();
  for (const double each : quality.round_trips) {
    trips.push_back(each < 0 ? ordered_json(nullptr) : ordered_json(Rounded(each)));
  }
  return {{"sent", quality.stream.count},
          {"received", quality.received},
          {"loss_percent", Rounded(quality.loss_percent())},
          {"reordered", quality.reordered},
          {"duplicated", quality.duplicated},
          {"rtt_min_ms", Rounded(quality.rtt_min)},
          {"rtt_p50_ms", Rounded(quality.rtt_p50)},
          {"rtt_p95_ms", Rounded(quality.rtt_p95)},
          {"jitter_ms", Rounded(quality.jitter)},
          {"sent_kbits", Rounded(quality.stream.kbits())},
          {"received_kbits", Rounded(quality.kbits)},
          {"round_trips_ms", std::move(trips)}};
}

ordered_json Json(const TlsResult& tls) {
  return {{"versions", tls.versions},
          {"subject", tls.subject},
          {"names", tls.names},
          {"issuer", tls.issuer},
          {"expires", FormatRfc3339(tls.expires)},
          {"problem", tls.problem.empty() ? ordered_json(nullptr) : ordered_json(tls.problem)}};
}

ordered_json Json(const PathResult& path) {
  ordered_json object = {{"path", PathName(path.kind)}, {"works", path.works()}};
  if (!path.skipped.empty()) {
    object["skipped"] = path.skipped;
    return object;
  }
  if (path.server.port != 0) object["server"] = path.server.ToString();
  for (const StepResult& step : path.steps) {
    object["steps"].push_back(
        {{"step", StepName(step.step)},
         {"ok", step.ok()},
         {"fault", step.ok() ? ordered_json(nullptr) : ordered_json(FaultName(step.fault))},
         {"ms", Rounded(std::chrono::duration<double, std::milli>(step.took).count())},
         {"detail", step.detail}});
  }
  if (path.tls) object["tls"] = Json(*path.tls);
  if (path.mapped) object["mapped"] = path.mapped->ToString();
  if (path.relayed) object["relayed"] = path.relayed->ToString();
  if (path.quality) object["quality"] = Json(*path.quality);
  return object;
}

ordered_json Json(const Verdict& verdict) {
  ordered_json misses = ordered_json::array();
  for (const Miss& miss : verdict.misses) {
    misses.push_back(
        {{"limit", miss.limit}, {"value", Rounded(miss.value)}, {"allowed", miss.allowed}});
  }
  return {{"profile", verdict.profile->name},
          {"outcome", OutcomeName(verdict.outcome)},
          {"path", verdict.path ? ordered_json(PathName(*verdict.path)) : ordered_json(nullptr)},
          {"grade", verdict.grade.empty() ? ordered_json(nullptr) : ordered_json(verdict.grade)},
          {"reason", verdict.reason},
          {"misses", std::move(misses)}};
}

}  // namespace

void WriteJson(const Report& report, std::ostream& out) {
  ordered_json edges = ordered_json::array();
  for (const EdgeResult& edge : report.edges) {
    ordered_json object = {
        {"name", edge.edge.name}, {"region", edge.edge.region}, {"host", edge.edge.host}};
    object["nat_mapping"] = NatName(edge.nat);
    for (const PathResult& path : edge.paths) object["paths"].push_back(Json(path));
    const std::vector<Verdict> verdicts = JudgeAll(edge);
    for (const Verdict& verdict : verdicts) object["verdicts"].push_back(Json(verdict));
    object["advice"] = Advise(edge, verdicts);
    edges.push_back(std::move(object));
  }
  const bool any = !report.edges.empty() && BestPath(report.edges.front()) != nullptr;
  const ordered_json document = {
      {"report", "turnpike-check/1"},
      {"created_at", FormatRfc3339(report.created)},
      {"by", "turnpike check " + std::string(kVersion)},
      {"nearest", any ? ordered_json(report.edges.front().edge.name) : ordered_json(nullptr)},
      {"edges", std::move(edges)}};
  // What a server says of itself (names in certificates) may be any bytes.
  out << document.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
}

}  // namespace turnpike::check
