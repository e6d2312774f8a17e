#include "tools/check/probe.h"

#include "tools/check/relay_pair.h"

namespace turnpike::check {

void ProbeTurn(const Probe& probe, const ProbeOptions& options, std::mutex& measuring,
               PathResult& result) {
  result.server = probe.server;
  RelayPair pair(probe, options);
  const auto went_well = [&](StepResult step) {
    result.steps.push_back(std::move(step));
    return result.steps.back().ok();
  };
  if (!went_well(pair.Connect())) return;
  if (probe.transport == Transport::kTls) {
    if (!went_well(pair.ShakeHands(result.tls.emplace()))) return;
  }
  if (!went_well(pair.AwaitChallenge())) return;
  if (went_well(pair.Allocate(result)) && went_well(pair.MeetAtRelay())) {
    const std::lock_guard lock(measuring);
    result.quality = pair.Measure();
  }
  pair.Release();
}

}  // namespace turnpike::check
