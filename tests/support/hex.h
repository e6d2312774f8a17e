// Bytes written as hex text, for vectors.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace turnpike {

// FromHex reads pairs of hex digits and skips everything else, so a vector may be laid out in
// lines.
inline std::vector<uint8_t> FromHex(std::string_view text) {
  std::vector<uint8_t> bytes;
  int high = -1;
  for (const char c : text) {
    int digit = 0;
    if (c >= '0' && c <= '9') {
      digit = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      digit = c - 'a' + 10;
    } else {
      continue;
    }
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<uint8_t>(high << 4 | digit));
      high = -1;
    }
  }
  return bytes;
}

}  // namespace turnpike
