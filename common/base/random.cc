#include "common/base/random.h"

#include <cstring>

#include "common/base/check.h"

namespace turnpike {

uint64_t RandomSource::U64() {
  uint8_t bytes[8];
  Fill(bytes);
  uint64_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

uint32_t RandomSource::Below(uint32_t bound) {
  TP_CHECK(bound != 0);
  // Lemire's multiply-and-reject: https://arxiv.org/abs/1805.10941. No bias, almost never a retry.
  uint64_t product = uint64_t{static_cast<uint32_t>(U64())} * bound;
  if (static_cast<uint32_t>(product) < bound) {
    const uint32_t threshold = (0u - bound) % bound;
    while (static_cast<uint32_t>(product) < threshold) {
      product = uint64_t{static_cast<uint32_t>(U64())} * bound;
    }
  }
  return static_cast<uint32_t>(product >> 32);
}

}  // namespace turnpike
