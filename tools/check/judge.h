// The verdict per profile, and the advice: from results alone. Thresholds and sentences stand in
// server/api/pages/checks.json, which the page /nettest reads
// as well.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/check/result.h"

namespace turnpike::check {

// Profile is what a provider of calls asks of a network. Limits are exclusive.
struct Profile {
  struct Grade {
    std::string name;
    double rtt_ms = 0;
  };
  std::string name;
  std::string title;
  double rtt_ms = 0;
  std::optional<double> jitter_ms;
  std::optional<double> loss_percent;
  double kbits = 0;           // payload each way
  std::vector<Grade> grades;  // by rising RTT; may be empty
};

// Profiles are those that exist.
std::span<const Profile> Profiles();

// FindProfile returns nullptr for an unknown name.
const Profile* FindProfile(std::string_view name);

// Outcome: calls work as the profile wants; they work only over TCP or TLS; or they do not.
enum class Outcome : uint8_t { kPass, kDegraded, kFail };
std::string_view OutcomeName(Outcome outcome);

// Miss is one limit that was not kept.
struct Miss {
  std::string limit;  // `latency`, `jitter`, `loss`, `bandwidth`: a name of advice too
  double value = 0;
  double allowed = 0;
};

struct Verdict {
  const Profile* profile = nullptr;
  Outcome outcome = Outcome::kFail;
  std::optional<PathKind> path = {};  // what it was judged by; nullopt: no path works
  std::string grade = "";             // of profiles that have grades; `poor` below all of them
  std::vector<Miss> misses = {};
  std::string reason = "";  // one sentence
};

// Judge holds the path that a call would take against the profile.
Verdict Judge(const Profile& profile, const EdgeResult& edge);

// JudgeAll does so for every profile, in their order.
std::vector<Verdict> JudgeAll(const EdgeResult& edge);

// Advise says in plain words what to do about what failed, most important first; empty when all is
// well. `verdicts` are those of this edge.
std::vector<std::string> Advise(const EdgeResult& edge, std::span<const Verdict> verdicts);

// Label is how people are told of a path or a step: `TURN over UDP`, `401`.
std::string PathLabel(PathKind kind);
std::string StepLabel(Step step);

}  // namespace turnpike::check
