// Splitting a session's new bytes over the buckets in which they were relayed. Pure arithmetic.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "common/metering/slots.h"
#include "common/metering/usage.h"

namespace turnpike {

// Sums are the six totals in the order in which the ring and the ledger store them: payload bytes,
// wire bytes, packets, each client to peer first.
using Sums = std::array<uint64_t, 6>;

Sums ToSums(const UsageTotals& totals);
UsageTotals FromSums(const Sums& sums);

// IsZero says whether there is nothing to store.
bool IsZero(const Sums& sums);

// UsagePart is what a session relayed within one bucket since it was last stored.
struct UsagePart {
  BucketIndex bucket;
  Sums sums{};
};

// SplitUsage returns what `snapshot` has beyond `stored`, by bucket, oldest boundary first, and
// raises `stored` to the snapshot's totals. Each counter's parts add up to exactly its rise; a
// counter below what is stored adds nothing, and a boundary beyond the totals counts as they do.
// What precedes the first boundary goes with that boundary. A bucket may come twice when the clock
// stepped back and forth.
std::vector<UsagePart> SplitUsage(const SlotSnapshot& snapshot, Sums& stored);

}  // namespace turnpike
