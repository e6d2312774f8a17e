#include "common/base/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <vector>

namespace turnpike {
namespace {

// Script hands out fixed bytes, then zeros.
class Script : public RandomSource {
 public:
  explicit Script(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) {}
  void Fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = next_ < bytes_.size() ? bytes_[next_++] : uint8_t{0};
  }
  size_t used() const { return next_; }

 private:
  std::vector<uint8_t> bytes_;
  size_t next_ = 0;
};

TEST_CASE("below: the draw spreads over the whole range and never reaches the bound") {
  Script lowest({});
  CHECK(lowest.Below(1) == 0);
  Script highest(std::vector<uint8_t>(8, 0xFF));
  CHECK(highest.Below(10) == 9);
  Script half({0xFF, 0xFF, 0xFF, 0x7F, 0, 0, 0, 0});
  CHECK(half.Below(1000) == 499);
}

TEST_CASE("below: a draw from the biased remainder is thrown away") {
  // For bound 3 the product's low half must reach 2^32 mod 3 = 1: the draw 0 gives 0 and is
  // refused.
  Script script({0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0});
  CHECK(script.Below(3) == 2);
  CHECK(script.used() == 16);
}

}  // namespace
}  // namespace turnpike
