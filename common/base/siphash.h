// SipHash-1-3: the keyed hash of every table whose keys a stranger chooses.
#pragma once

#include <cstdint>
#include <span>

namespace turnpike {

// SipKey is the secret of one table. Fill it from a `RandomSource` at start.
struct SipKey {
  uint64_t k0 = 0;
  uint64_t k1 = 0;
};

// SipHash13 hashes `bytes` under `key` (Aumasson and Bernstein, "SipHash: a fast short-input PRF",
// with one compression and three finalization rounds). Without the key nobody can aim collisions.
uint64_t SipHash13(const SipKey& key, std::span<const uint8_t> bytes);

}  // namespace turnpike
