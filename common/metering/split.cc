#include "common/metering/split.h"

#include <algorithm>

namespace turnpike {

Sums ToSums(const UsageTotals& t) {
  return {t.payload_bytes[0], t.payload_bytes[1], t.wire_bytes[0],
          t.wire_bytes[1],    t.packets[0],       t.packets[1]};
}

UsageTotals FromSums(const Sums& s) {
  UsageTotals totals;
  totals.payload_bytes = {s[0], s[1]};
  totals.wire_bytes = {s[2], s[3]};
  totals.packets = {s[4], s[5]};
  return totals;
}

bool IsZero(const Sums& sums) {
  return std::ranges::all_of(sums, [](uint64_t value) { return value == 0; });
}

std::vector<UsagePart> SplitUsage(const SlotSnapshot& snapshot, Sums& stored) {
  std::vector<UsagePart> parts;
  const Sums newest = ToSums(snapshot.totals);
  const auto add = [&](BucketIndex bucket, const UsageTotals& end) {
    UsagePart part{bucket, {}};
    const Sums end_sums = ToSums(end);
    for (size_t i = 0; i < stored.size(); ++i) {
      // A boundary beyond the newest total is damaged, or younger than the counters that a power
      // cut left: it must not add to them.
      const uint64_t total = std::min(end_sums[i], newest[i]);
      if (total <= stored[i]) continue;
      part.sums[i] = total - stored[i];
      stored[i] = total;
    }
    if (!IsZero(part.sums)) parts.push_back(part);
  };
  const auto& boundaries = snapshot.boundaries;
  for (size_t i = 0; i < boundaries.size(); ++i) {
    const bool last = i + 1 == boundaries.size();
    add(boundaries[i].bucket, last ? snapshot.totals : boundaries[i + 1].totals);
  }
  // Without any boundary (lost with a power cut) the newest byte's bucket is all that is known.
  if (boundaries.empty()) add(snapshot.bucket, snapshot.totals);
  return parts;
}

}  // namespace turnpike
