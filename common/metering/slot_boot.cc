#include "common/metering/slot_boot.h"

#include <algorithm>
#include <span>

#include "common/base/siphash.h"

namespace turnpike {
namespace {

// BootChecksum covers all of a boot record but its checksum.
uint16_t BootChecksum(BootRecord record) {
  record.checksum = 0;
  const auto* bytes = reinterpret_cast<const uint8_t*>(&record);
  const uint64_t hash = SipHash13(SipKey{}, std::span(bytes, sizeof(record)));
  return static_cast<uint16_t>(hash | 1);
}

}  // namespace

void WriteBoot(BootRecord& record, const LedgerIdentity& identity) {
  record.boot = identity.boot;
  record.node_size = static_cast<uint16_t>(identity.node.size());
  record.region_size = static_cast<uint16_t>(identity.region.size());
  record.edge_size = static_cast<uint16_t>(identity.edge.size());
  char* names = record.names.data();
  for (const std::string* name : {&identity.node, &identity.region, &identity.edge}) {
    names = std::copy(name->begin(), name->end(), names);
  }
  record.checksum = BootChecksum(record);
}

bool IsSound(const BootRecord& record) {
  return record.checksum == 0 || record.checksum == BootChecksum(record);
}

LedgerIdentity ReadBoot(const BootRecord& record) {
  const std::string_view names(record.names.data(), record.names.size());
  LedgerIdentity identity;
  identity.boot = record.boot;
  const size_t region = std::min<size_t>(record.node_size, names.size());
  const size_t edge = std::min<size_t>(region + record.region_size, names.size());
  identity.node = names.substr(0, region);
  identity.region = names.substr(region, record.region_size);
  identity.edge = names.substr(edge, record.edge_size);
  return identity;
}

}  // namespace turnpike
