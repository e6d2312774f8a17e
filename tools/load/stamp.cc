#include "tools/load/stamp.h"

#include <cstring>

#include "common/base/check.h"

namespace turnpike::load {
namespace {

// Raw is the stamp as it lies in a payload, in host order: writer and reader are one process.
struct Raw {
  uint32_t run_and_direction;
  uint32_t session;
  uint32_t sequence;
  uint32_t intended_low;
  uint32_t intended_high;
};
static_assert(sizeof(Raw) == kStampSize);

}  // namespace

void WriteStamp(const Stamp& stamp, uint32_t run, std::span<uint8_t> payload) {
  TP_DCHECK(payload.size() >= kStampSize);
  const auto intended = static_cast<uint64_t>(stamp.intended.time_since_epoch().count());
  const Raw raw{(run & ~1u) | static_cast<uint32_t>(stamp.direction), stamp.session, stamp.sequence,
                static_cast<uint32_t>(intended), static_cast<uint32_t>(intended >> 32)};
  std::memcpy(payload.data(), &raw, sizeof(raw));
}

std::optional<Stamp> ReadStamp(ByteSpan payload, uint32_t run) {
  if (payload.size() < kStampSize) return std::nullopt;
  Raw raw;
  std::memcpy(&raw, payload.data(), sizeof(raw));
  if ((raw.run_and_direction & ~1u) != (run & ~1u)) return std::nullopt;
  const uint64_t intended = uint64_t{raw.intended_high} << 32 | raw.intended_low;
  return Stamp{raw.session, raw.sequence, static_cast<Direction>(raw.run_and_direction & 1),
               MonoTime(Duration(static_cast<int64_t>(intended)))};
}

}  // namespace turnpike::load
