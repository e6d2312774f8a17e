// What the generator writes into its payloads, so that whoever receives one knows whose it is and
// how long it took.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "common/base/bytes.h"
#include "common/base/time.h"
#include "common/metering/usage.h"

namespace turnpike::load {

// Stamp is what a payload says of itself.
struct Stamp {
  uint32_t session = 0;
  uint32_t sequence = 0;
  Direction direction = Direction::kClientToPeer;
  MonoTime intended;

  friend bool operator==(const Stamp&, const Stamp&) = default;
};

// kStampSize is the smallest payload that can carry a stamp.
inline constexpr size_t kStampSize = 20;

// WriteStamp writes `stamp` at the start of a payload of at least kStampSize bytes. `run` tells
// this run's packets from those of others; its lowest bit is not used.
void WriteStamp(const Stamp& stamp, uint32_t run, std::span<uint8_t> payload);

// ReadStamp returns what WriteStamp wrote under the same `run`, or nullopt for foreign or short
// payloads.
std::optional<Stamp> ReadStamp(ByteSpan payload, uint32_t run);

}  // namespace turnpike::load
