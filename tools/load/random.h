// The kernel's randomness, for transaction ids.
#pragma once

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/check.h"
#include "common/base/random.h"

namespace turnpike::load {

// KernelRandom draws from getrandom(2) through a small buffer. One instance serves one thread.
class KernelRandom final : public RandomSource {
 public:
  void Fill(std::span<uint8_t> out) override {
    while (!out.empty()) {
      if (used_ == buffer_.size()) {
        // Up to 256 bytes come whole and uninterrupted (getrandom(2)).
        TP_CHECK(getrandom(buffer_.data(), buffer_.size(), 0) ==
                 static_cast<ssize_t>(buffer_.size()));
        used_ = 0;
      }
      const size_t count = std::min(out.size(), buffer_.size() - used_);
      std::copy_n(buffer_.begin() + static_cast<ptrdiff_t>(used_), count, out.begin());
      used_ += count;
      out = out.subspan(count);
    }
  }

 private:
  std::array<uint8_t, 256> buffer_{};
  size_t used_ = 256;
};

}  // namespace turnpike::load
