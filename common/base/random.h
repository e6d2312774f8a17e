// Randomness as an argument. The system's source lives in `server/io/system_random.h`; tests pass a
// seeded one.
#pragma once

#include <cstdint>
#include <span>

namespace turnpike {

// RandomSource yields unpredictable bytes. Nonces, relay ports, tokens and session ids come from
// it, so outside of tests it must be a CSPRNG. One source serves one thread.
class RandomSource {
 public:
  virtual ~RandomSource() = default;

  // Fill overwrites `out` with random bytes. It cannot fail: a system without randomness ends the
  // process.
  virtual void Fill(std::span<uint8_t> out) = 0;

  // U64 returns 64 random bits.
  uint64_t U64();

  // Below returns a number in [0, bound) without modulo bias. `bound` must not be 0.
  uint32_t Below(uint32_t bound);
};

}  // namespace turnpike
