#include "server/session_rates.h"

#include <algorithm>
#include <utility>

namespace turnpike {
namespace {

constexpr std::chrono::milliseconds kNearest{500};
constexpr std::chrono::seconds kOldest{30};

}  // namespace

const SessionRates::Reading* SessionRates::Before(MonoTime now) const {
  for (const auto* reading : {&newer_, &older_}) {
    if (!*reading) continue;
    const Duration age = now - (*reading)->at;
    if (age >= kNearest && age <= kOldest) return &**reading;
  }
  return nullptr;
}

bool SessionRates::IsFresh(MonoTime now) const { return Before(now) != nullptr; }

void SessionRates::Fill(std::vector<LiveSession>& sessions, MonoTime now) {
  if (const Reading* before = Before(now)) {
    const auto ms = static_cast<uint64_t>(std::max<int64_t>(
        1, std::chrono::duration_cast<std::chrono::milliseconds>(now - before->at).count()));
    for (LiveSession& session : sessions) {
      const auto seen = before->totals.find(session.info.id);
      // One that began since has relayed all of its bytes since.
      const UsageTotals then = seen == before->totals.end() ? UsageTotals() : seen->second;
      auto& rates = session.bytes_per_second.emplace();
      for (size_t i = 0; i < rates.size(); ++i) {
        rates[i] = (session.totals.payload_bytes[i] - then.payload_bytes[i]) * 1000 / ms;
      }
    }
  }
  // Several who look at once must not push each other's readings out.
  if (newer_ && now - newer_->at < kNearest) return;
  older_ = std::exchange(newer_, Reading{now, {}});
  for (const LiveSession& session : sessions) newer_->totals[session.info.id] = session.totals;
}

}  // namespace turnpike
