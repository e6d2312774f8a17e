// Randomness that a seed repeats, for tests and simulations.
#pragma once

#include <cstdint>
#include <random>
#include <span>

#include "common/base/random.h"

namespace turnpike {

// SeededRandom yields the same bytes for the same seed, on every platform.
class SeededRandom : public RandomSource {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  void Fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = static_cast<uint8_t>(engine_());
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace turnpike
