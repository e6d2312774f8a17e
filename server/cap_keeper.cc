#include "server/cap_keeper.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"

namespace turnpike {
namespace {

std::string LimitOf(const Cap& cap) {
  return cap.money ? FormatAmount(*cap.money, 2) : std::to_string(*cap.bytes) + " bytes";
}

}  // namespace

CapKeeper::CapKeeper(std::vector<Cap> caps, std::optional<RateTable> rates, const SlotFile& slots,
                     CapOutcome outcome)
    : book_(std::move(caps), std::move(rates)), slots_(slots), outcome_(std::move(outcome)) {}

std::vector<CapLevel> CapKeeper::Judge(WallTime now) {
  CapJudgement judgement = book_.Judge(now);
  LogNews(judgement);
  if (!judgement.ended.empty()) {
    const std::vector<SessionId> sessions = LiveSessionsOf(judgement.ended);
    if (!sessions.empty()) outcome_.end(sessions);
  }
  outcome_.refuse(std::move(judgement.refused));
  // One series a cap: for `*` it is the account that has come furthest.
  std::vector<CapLevel> levels;
  for (const Cap& cap : book_.caps()) {
    levels.push_back(
        {cap.account, cap.label.value_or("*"), CapPeriodName(cap.period), LimitOf(cap), 0});
  }
  for (const CapUse& use : judgement.uses) {
    levels[use.cap].permille = std::max(levels[use.cap].permille, use.permille);
  }
  return levels;
}

void CapKeeper::LogNews(const CapJudgement& judgement) {
  for (const CapCrossing& crossing : judgement.crossings) {
    const Cap& cap = book_.caps()[crossing.use.cap];
    const bool full = crossing.use.permille >= 1000;
    Log(full ? LogLevel::kWarning : LogLevel::kInfo, full ? "cap_reached" : "cap_near",
        {{"account", crossing.use.account},
         {"label", cap.label.value_or("*")},
         {"period", CapPeriodName(cap.period)},
         {"cap", LimitOf(cap)},
         {"percent", crossing.use.permille / 10},
         {"action", full ? CapActionName(cap.action) : "warn"}});
  }
  for (const std::string& error : judgement.errors) {
    if (std::ranges::find(errors_, error) != errors_.end()) continue;
    Log(LogLevel::kError, "cap_not_priced", {{"error", error}});
  }
  errors_ = judgement.errors;
}

std::vector<SessionId> CapKeeper::LiveSessionsOf(const std::vector<CappedUse>& ended) const {
  std::vector<SessionId> sessions;
  for (const SlotId slot : slots_.UsedSlots()) {
    if (slots_.Read(slot).closed) continue;
    const SessionInfo info = slots_.ReadInfo(slot);
    if (std::ranges::any_of(ended, [&](const CappedUse& use) {
          return use.account == info.account && use.label.value_or(info.label) == info.label;
        })) {
      sessions.push_back(info.id);
    }
  }
  return sessions;
}

}  // namespace turnpike
