#include "common/base/siphash.h"

#include <doctest/doctest.h>

#include <numeric>
#include <vector>

namespace turnpike {
namespace {

std::vector<uint8_t> Counting(size_t size) {
  std::vector<uint8_t> bytes(size);
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  return bytes;
}

// The expected values come from CPython 3.11, whose hash of bytes is SipHash-1-3: once with
// PYTHONHASHSEED=0 (key zero), once with 42 (a key that its documented generator yields).
struct Reference {
  size_t size;
  uint64_t zero_key;
  uint64_t other_key;
};
constexpr Reference kReferences[] = {
    {1, 0x68a914128e01e473, 0xce880c366bcf3489},  {7, 0x2f098ab0c751325a, 0xce280fabc397fbda},
    {8, 0xead411e67ebe2eea, 0x60866c3c108c6afb},  {9, 0x75927f9d95124362, 0x68814005f7469e03},
    {15, 0xf30eb725bb91c9ea, 0x94ace24d68c18cf8}, {16, 0x8972188433a5c5b7, 0x339176f3ac59ce05},
    {40, 0x95bc321ab41d8206, 0xde03d697bf20e38a}};

TEST_CASE("siphash-1-3: reference values at every block boundary") {
  const SipKey other{0xdc504fd368cd90af, 0xb920bb9ffe99e9c1};
  for (const Reference& reference : kReferences) {
    CAPTURE(reference.size);
    const auto bytes = Counting(reference.size);
    CHECK(SipHash13({}, bytes) == reference.zero_key);
    CHECK(SipHash13(other, bytes) == reference.other_key);
  }
}

TEST_CASE("siphash-1-3: the length counts, not only the bytes") {
  const std::vector<uint8_t> zeros(16, 0);
  const std::span<const uint8_t> view(zeros);
  CHECK(SipHash13({}, view.first(0)) != SipHash13({}, view.first(1)));
  CHECK(SipHash13({}, view.first(8)) != SipHash13({}, view.first(9)));
}

}  // namespace
}  // namespace turnpike
