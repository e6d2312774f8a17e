#include "common/base/siphash.h"

#include <bit>
#include <cstddef>

namespace turnpike {
namespace {

struct State {
  uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }

  void Absorb(uint64_t word) {
    v3 ^= word;
    Round();
    v0 ^= word;
  }
};

// LittleEndian joins up to eight bytes; a fixed count of eight compiles to one load.
uint64_t LittleEndian(std::span<const uint8_t> bytes) {
  uint64_t word = 0;
  for (size_t i = 0; i < bytes.size(); ++i) word |= uint64_t{bytes[i]} << (8 * i);
  return word;
}

}  // namespace

uint64_t SipHash13(const SipKey& key, std::span<const uint8_t> bytes) {
  // The constants spell "somepseudorandomlygeneratedbytes".
  State state{key.k0 ^ 0x736f6d6570736575, key.k1 ^ 0x646f72616e646f6d, key.k0 ^ 0x6c7967656e657261,
              key.k1 ^ 0x7465646279746573};
  const uint64_t length_byte = uint64_t{bytes.size()} << 56;
  while (bytes.size() >= 8) {
    state.Absorb(LittleEndian(bytes.first<8>()));
    bytes = bytes.subspan(8);
  }
  state.Absorb(length_byte | LittleEndian(bytes));
  state.v2 ^= 0xff;
  state.Round();
  state.Round();
  state.Round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace turnpike
