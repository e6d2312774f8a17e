#include "tools/check/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/check/advice.h"

namespace turnpike::check {
namespace {

using nlohmann::json;

// A stream of this share of its rate has room enough: what loss takes is judged as loss.
constexpr double kRateTolerance = 0.9;

std::optional<double> Limit(const json& row, const char* name) {
  return row.contains(name) ? std::optional(row[name].get<double>()) : std::nullopt;
}

std::vector<Profile> ReadProfiles() {
  std::vector<Profile> profiles;
  for (const json& row : Checks()["profiles"]) {
    Profile profile{.name = row["name"],
                    .title = row["title"],
                    .rtt_ms = row["rtt_ms"],
                    .jitter_ms = Limit(row, "jitter_ms"),
                    .loss_percent = Limit(row, "loss_percent"),
                    .kbits = row["kbits"],
                    .grades = {}};
    for (const json& grade : row.value("grades", json::array())) {
      profile.grades.push_back({grade["name"], grade["rtt_ms"]});
    }
    profiles.push_back(std::move(profile));
  }
  return profiles;
}

std::vector<Miss> MissesOf(const Profile& profile, const Quality& quality) {
  std::vector<Miss> misses;
  if (quality.rtt_p50 >= profile.rtt_ms) {
    misses.push_back({"latency", quality.rtt_p50, profile.rtt_ms});
  }
  if (profile.jitter_ms && quality.jitter >= *profile.jitter_ms) {
    misses.push_back({"jitter", quality.jitter, *profile.jitter_ms});
  }
  if (profile.loss_percent && quality.loss_percent() >= *profile.loss_percent) {
    misses.push_back({"loss", quality.loss_percent(), *profile.loss_percent});
  }
  const double wanted = std::min(profile.kbits, quality.stream.kbits());
  if (quality.kbits < wanted * kRateTolerance) {
    misses.push_back({"bandwidth", quality.kbits, wanted});
  }
  return misses;
}

std::string GradeOf(const Profile& profile, const Quality& quality) {
  if (profile.grades.empty()) return "";
  for (const Profile::Grade& grade : profile.grades) {
    if (quality.rtt_p50 < grade.rtt_ms) return grade.name;
  }
  return "poor";
}

std::string Describe(const Miss& miss) {
  const std::string_view unit = miss.limit == "loss"        ? " %"
                                : miss.limit == "bandwidth" ? " kbit/s"
                                                            : " ms";
  const std::string_view bound = miss.limit == "bandwidth" ? "at least" : "below";
  return fmt::format("{} {:.1f}{}, wanted {} {:g}{}", miss.limit, miss.value, unit, bound,
                     miss.allowed, unit);
}

}  // namespace

std::span<const Profile> Profiles() {
  static const std::vector<Profile> profiles = ReadProfiles();
  return profiles;
}

const Profile* FindProfile(std::string_view name) {
  const auto found = std::ranges::find(Profiles(), name, &Profile::name);
  return found == Profiles().end() ? nullptr : &*found;
}

std::string_view OutcomeName(Outcome outcome) {
  constexpr std::string_view kNames[] = {"pass", "degraded", "fail"};
  return kNames[static_cast<size_t>(outcome)];
}

Verdict Judge(const Profile& profile, const EdgeResult& edge) {
  Verdict verdict{.profile = &profile, .reason = "no path to the relay works"};
  const PathResult* const path = BestPath(edge);
  if (path == nullptr || !path->quality) return verdict;
  verdict.path = path->kind;
  verdict.misses = MissesOf(profile, *path->quality);
  verdict.grade = GradeOf(profile, *path->quality);
  const bool is_stream = path->kind == PathKind::kTurnTcp || path->kind == PathKind::kTurnTls;
  verdict.reason.clear();
  for (const Miss& miss : verdict.misses) {
    verdict.reason += (verdict.reason.empty() ? "" : "; ") + Describe(miss);
  }
  if (!verdict.misses.empty()) return verdict;
  verdict.outcome = is_stream ? Outcome::kDegraded : Outcome::kPass;
  verdict.reason = (is_stream ? "only " : "") + PathLabel(path->kind);
  if (!verdict.grade.empty()) verdict.reason += ", " + verdict.grade;
  return verdict;
}

std::vector<Verdict> JudgeAll(const EdgeResult& edge) {
  std::vector<Verdict> verdicts;
  for (const Profile& profile : Profiles()) verdicts.push_back(Judge(profile, edge));
  return verdicts;
}

}  // namespace turnpike::check
