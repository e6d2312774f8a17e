#include "tools/check/judge.h"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

#include "tools/check/report.h"

namespace turnpike::check {
namespace {

PathResult Works(PathKind kind, double rtt, double jitter = 1, uint32_t lost = 0,
                 double kbits = 100) {
  PathResult path;
  path.kind = kind;
  path.steps = {{.step = Step::kRelay}};
  Quality quality;
  quality.stream = {.count = 100, .payload_size = 250, .interval = std::chrono::milliseconds(20)};
  quality.received = 100 - lost;
  quality.rtt_p50 = quality.rtt_p95 = rtt;
  quality.jitter = jitter;
  quality.kbits = kbits;
  path.quality = quality;
  return path;
}

PathResult Fails(PathKind kind, Step step, Fault fault, std::string detail = "why") {
  PathResult path;
  path.kind = kind;
  path.steps = {{.step = step, .fault = fault, .took = {}, .detail = std::move(detail)}};
  return path;
}

// EdgeOf has `paths`, and has not tried the others.
EdgeResult EdgeOf(const std::vector<PathResult>& paths) {
  EdgeResult edge;
  edge.edge = {.name = "ashburn", .region = "us1", .host = "turn.example"};
  for (const PathKind kind : kPathKinds) {
    PathResult skipped;
    skipped.kind = kind;
    skipped.skipped = "not offered";
    edge.paths.push_back(skipped);
  }
  for (const PathResult& path : paths) edge.paths[static_cast<size_t>(path.kind)] = path;
  return edge;
}

std::string Outcomes(const EdgeResult& edge) {
  std::string text;
  for (const Verdict& verdict : JudgeAll(edge)) {
    text += (text.empty() ? "" : " ") + std::string(OutcomeName(verdict.outcome));
    if (!verdict.grade.empty()) text += ":" + verdict.grade;
  }
  return text;
}

std::string AdviceFor(const EdgeResult& edge) {
  std::string text;
  const auto verdicts = JudgeAll(edge);
  for (const std::string& sentence : Advise(edge, verdicts)) text += sentence + "\n";
  return text;
}

bool Has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST_CASE("a good relay passes every profile, and there is nothing to advise") {
  const EdgeResult edge = EdgeOf({Works(PathKind::kTurnUdp, 20), Works(PathKind::kTurnTcp, 20)});
  CHECK(Outcomes(edge) == "pass pass pass:excellent");
  CHECK(AdviceFor(edge).empty());
}

TEST_CASE("limits are exclusive, each profile has its own") {
  CHECK(Outcomes(EdgeOf({Works(PathKind::kTurnUdp, 99.9, 9.9)})) == "pass pass pass:excellent");
  CHECK(Outcomes(EdgeOf({Works(PathKind::kTurnUdp, 100, 1)})) == "pass fail pass:good");
  CHECK(Outcomes(EdgeOf({Works(PathKind::kTurnUdp, 150, 1)})) == "pass fail pass:acceptable");
  CHECK(Outcomes(EdgeOf({Works(PathKind::kTurnUdp, 300, 1)})) == "fail fail fail:poor");
  CHECK(Outcomes(EdgeOf({Works(PathKind::kTurnUdp, 20, 10)})) == "pass fail pass:excellent");
  CHECK(Outcomes(EdgeOf({Works(PathKind::kTurnUdp, 20, 30)})) == "fail fail pass:excellent");
  CHECK(Outcomes(EdgeOf({Works(PathKind::kTurnUdp, 20, 1, 1)})) == "pass fail pass:excellent");
  CHECK(Outcomes(EdgeOf({Works(PathKind::kTurnUdp, 20, 1, 3)})) == "fail fail pass:excellent");
  CHECK(Outcomes(EdgeOf({Works(PathKind::kTurnUdp, 20, 1, 0, 60)})) == "pass fail fail:excellent");
}

TEST_CASE("without UDP a profile passes over TLS or TCP only, and UDP is to be opened") {
  const EdgeResult edge = EdgeOf({Fails(PathKind::kStunUdp, Step::kBinding, Fault::kSilent),
                                  Fails(PathKind::kTurnUdp, Step::kChallenge, Fault::kSilent),
                                  Works(PathKind::kTurnTcp, 20), Works(PathKind::kTurnTls, 20)});
  CHECK(Outcomes(edge) == "degraded degraded degraded:excellent");
  const std::string advice = AdviceFor(edge);
  CHECK(Has(advice, "Open outgoing UDP to turn.example port 3478"));
  CHECK(Has(advice, "error 701"));
  CHECK(Has(advice, "calls use TCP"));
}

TEST_CASE("each fault has its advice") {
  const auto advice = [](Step step, Fault fault) {
    return AdviceFor(EdgeOf({Fails(PathKind::kTurnUdp, step, fault)}));
  };
  CHECK(Has(advice(Step::kDns, Fault::kName), "cannot be resolved"));
  CHECK(Has(advice(Step::kAllocate, Fault::kCredentials), "Ask for a new one"));
  CHECK(Has(advice(Step::kAllocate, Fault::kServer), "refuses to relay (why)"));
  CHECK(Has(advice(Step::kRelay, Fault::kSilent), "relays nothing back (why)"));
  CHECK(Has(advice(Step::kTls, Fault::kCertificate), "port 5349 shows is refused (why)"));
  CHECK(Has(advice(Step::kTls, Fault::kTls), "inspects TLS"));
  CHECK(Outcomes(EdgeOf({Fails(PathKind::kTurnUdp, Step::kAllocate, Fault::kCredentials)})) ==
        "fail fail fail");
}

TEST_CASE("nothing works: the host is out of reach, in one sentence") {
  const std::string advice =
      AdviceFor(EdgeOf({Fails(PathKind::kTurnUdp, Step::kChallenge, Fault::kSilent),
                        Fails(PathKind::kTurnTcp, Step::kConnect, Fault::kRefused),
                        Fails(PathKind::kTurnTls, Step::kConnect, Fault::kSilent)}));
  CHECK(Has(advice, "No way leads to turn.example: neither UDP 3478, TCP 3478 nor TLS 5349"));
  CHECK(advice.find('\n') == advice.size() - 1);
}

TEST_CASE("an expired certificate does not fail a call over UDP, but is told") {
  const EdgeResult edge =
      EdgeOf({Works(PathKind::kTurnUdp, 20),
              Fails(PathKind::kTurnTls, Step::kTls, Fault::kCertificate, "expired on 2026-01-01")});
  CHECK(Outcomes(edge) == "pass pass pass:excellent");
  CHECK(Has(AdviceFor(edge), "expired on 2026-01-01"));
}

TEST_CASE("the nearest edge stands first, one out of reach last") {
  std::vector<EdgeResult> edges;
  for (const double rtt : {0.0, 80.0, 20.0}) {
    edges.push_back(rtt == 0 ? EdgeOf({Fails(PathKind::kTurnUdp, Step::kDns, Fault::kName)})
                             : EdgeOf({Works(PathKind::kTurnUdp, rtt)}));
    edges.back().edge.name = std::to_string(static_cast<int>(rtt));
  }
  SortByDistance(edges);
  CHECK(edges[0].edge.name == "20");
  CHECK(edges[1].edge.name == "80");
  CHECK(edges[2].edge.name == "0");
}

TEST_CASE("the table keeps a server's bytes from the terminal, and long advice within its width") {
  const EdgeResult edge = EdgeOf(
      {Fails(PathKind::kTurnTls, Step::kTls, Fault::kCertificate, "of \x1b[31mred\n, expired")});
  std::ostringstream out;
  WriteTable({.created = {}, .edges = {edge}}, out);
  CHECK(!Has(out.str(), "\x1b"));
  CHECK(Has(out.str(), "of ?[31mred?, expired"));
  std::istringstream lines(out.str());
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 100);
}

}  // namespace
}  // namespace turnpike::check
