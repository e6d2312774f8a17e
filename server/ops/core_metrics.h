// The readers of the rows that show what the cores count (TurnStats).
#pragma once

#include <string>
#include <string_view>

#include "server/ops/metrics.h"

namespace turnpike {

// Sum adds up one counter of all workers.
template <typename Pick>
uint64_t Sum(const Scrape& scrape, Pick pick) {
  uint64_t sum = 0;
  for (const WorkerView& worker : scrape.workers) sum += pick(*worker.stats).Get();
  return sum;
}

// NamedLabel is a label whose value is a word of ours, RegionLabel the server's region.
inline Label NamedLabel(std::string_view label, std::string_view name) {
  return {label, std::string(name)};
}

inline Label RegionLabel(const Scrape& scrape) { return LabelOf("region", scrape.identity.region); }

// One for each row of the table; each writes its row's series.
void ReadAllocations(const Scrape& scrape, ExpositionWriter& out);
void ReadPeerConnectionEvents(const Scrape& scrape, ExpositionWriter& out);
void ReadAllocationsClosed(const Scrape& scrape, ExpositionWriter& out);
void ReadAllocationErrors(const Scrape& scrape, ExpositionWriter& out);
void ReadAllErrors(const Scrape& scrape, ExpositionWriter& out);
void ReadAllocationDuration(const Scrape& scrape, ExpositionWriter& out);
void ReadRelayedBytes(const Scrape& scrape, ExpositionWriter& out);
void ReadRelayedPackets(const Scrape& scrape, ExpositionWriter& out);
void ReadDropped(const Scrape& scrape, ExpositionWriter& out);
void ReadSourceLimited(const Scrape& scrape, ExpositionWriter& out);
void ReadAuthFailures(const Scrape& scrape, ExpositionWriter& out);
void ReadMessages(const Scrape& scrape, ExpositionWriter& out);

}  // namespace turnpike
