// The system's randomness.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/random.h"

namespace turnpike {

// SystemRandom is BoringSSL's CSPRNG behind a small buffer: relay ports and transaction ids are a
// few bytes each, and a call into the generator costs the same for 8 bytes as for 512. Bytes are
// wiped as they are handed out. One instance serves one thread.
class SystemRandom final : public RandomSource {
 public:
  SystemRandom() = default;
  ~SystemRandom() override;
  SystemRandom(const SystemRandom&) = delete;
  SystemRandom& operator=(const SystemRandom&) = delete;

  void Fill(std::span<uint8_t> out) override;

 private:
  std::array<uint8_t, 512> buffer_{};
  size_t used_ = 512;  // bytes of buffer_ that are handed out already
};

}  // namespace turnpike
