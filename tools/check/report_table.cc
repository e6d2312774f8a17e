#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "tools/check/report.h"

namespace turnpike::check {

std::string Printable(std::string_view text) {
  std::string out;
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  return out;
}

namespace {

// Wrapped breaks a sentence into lines of a terminal's width, indented, the first with a dash.
std::string Wrapped(std::string_view sentence) {
  constexpr size_t kWidth = 92;
  std::string out;
  for (std::string_view indent = "  - "; !sentence.empty(); indent = "    ") {
    size_t end = sentence.size();
    if (end > kWidth) {
      const size_t blank = sentence.rfind(' ', kWidth);
      end = blank == std::string_view::npos ? kWidth : blank;
    }
    out += std::string(indent) + std::string(sentence.substr(0, end)) + "\n";
    sentence.remove_prefix(std::min(sentence.size(), end + 1));
  }
  return out;
}

void WriteQuality(const PathResult& path, std::ostream& out) {
  const Quality& q = *path.quality;
  if (q.received == 0) {
    out << fmt::format("all {} packets were lost", q.stream.count);
    return;
  }
  out << fmt::format(
      "rtt {:.1f} ms (p95 {:.1f})   jitter {:.1f} ms   loss {:.1f} %   {:.0f} kbit/s", q.rtt_p50,
      q.rtt_p95, q.jitter, q.loss_percent(), q.kbits);
  if (q.reordered > 0) out << fmt::format("   {} reordered", q.reordered);
}

void WritePath(const PathResult& path, std::ostream& out) {
  out << fmt::format("  {:<14}  ", PathLabel(path.kind));
  if (!path.skipped.empty()) {
    out << "-     " << path.skipped << "\n";
    return;
  }
  if (const StepResult* const failure = path.failure()) {
    out << fmt::format("FAIL  {}: {}\n", StepLabel(failure->step), Printable(failure->detail));
  } else {
    out << "ok    ";
    if (path.quality) {
      WriteQuality(path, out);
    } else {
      const auto took = std::chrono::duration<double, std::milli>(path.steps.back().took).count();
      out << fmt::format("rtt {:.1f} ms   {}", took, path.steps.back().detail);
    }
    out << "\n";
  }
  if (!path.tls) return;
  std::string versions;
  for (const std::string& each : path.tls->versions)
    versions += (versions.empty() ? "" : ", ") + each;
  std::string names;
  for (const std::string& each : path.tls->names) names += (names.empty() ? "" : ", ") + each;
  if (names.empty()) names = path.tls->subject;
  out << fmt::format("{:24}{}; certificate of {} by {}, until {}\n", "", versions, Printable(names),
                     Printable(path.tls->issuer), FormatRfc3339(path.tls->expires));
}

std::string_view NatText(NatMapping nat) {
  switch (nat) {
    case NatMapping::kNone:
      return "no NAT between here and the server";
    case NatMapping::kEndpointIndependent:
      return "NAT keeps one port for all destinations (endpoint-independent)";
    case NatMapping::kAddressDependent:
      return "NAT gives each address its own port (address-dependent)";
    case NatMapping::kAddressAndPortDependent:
      return "NAT gives each destination its own port (symmetric)";
    case NatMapping::kUnknown:
      break;
  }
  return "kind of NAT unknown (the server has no second address, RFC 5780)";
}

void WriteEdge(const EdgeResult& edge, std::ostream& out) {
  out << edge.edge.name;
  if (!edge.edge.region.empty()) out << ", " << edge.edge.region;
  if (edge.edge.name != edge.edge.host) out << " (" << edge.edge.host << ")";
  out << "\n";
  for (const PathResult& path : edge.paths) WritePath(path, out);
  if (edge.path(PathKind::kStunUdp).works()) out << "  " << NatText(edge.nat) << "\n";
  out << "\n";
  const std::vector<Verdict> verdicts = JudgeAll(edge);
  for (const Verdict& verdict : verdicts) {
    constexpr std::string_view kWords[] = {"pass", "LIMITED", "FAIL"};
    out << fmt::format("  {:<14}  {:<8}  {}\n", verdict.profile->name,
                       kWords[static_cast<size_t>(verdict.outcome)], verdict.reason);
  }
  for (const std::string& sentence : Advise(edge, verdicts)) {
    out << "\n" << Wrapped(Printable(sentence));
  }
}

}  // namespace

void WriteTable(const Report& report, std::ostream& out) {
  for (size_t i = 0; i < report.edges.size(); ++i) {
    if (i > 0) out << "\n";
    WriteEdge(report.edges[i], out);
  }
  if (report.edges.size() < 2) return;
  const PathResult* const best = BestPath(report.edges.front());
  if (best == nullptr) {
    out << "\nNo edge can be reached.\n";
    return;
  }
  out << fmt::format("\nNearest: {} ({:.1f} ms)\n", report.edges.front().edge.name,
                     best->quality->rtt_p50);
}

}  // namespace turnpike::check
