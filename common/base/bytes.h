// Cursors over bytes in network order. Pointer arithmetic stays in here: a cursor cannot overrun.
// Everything is inline: parsing a datagram is a handful of loads, and a call each would double
// them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "common/base/check.h"

namespace turnpike {

using ByteSpan = std::span<const uint8_t>;

// AsBytes views the characters of `text` as bytes; it owns nothing.
inline ByteSpan AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// AsText views `bytes` as characters; it owns nothing and promises nothing about their encoding.
inline std::string_view AsText(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// LoadU16, LoadU32 and LoadU64 read a big-endian number at `offset`, which the caller has checked:
// they are for offsets that a parser has validated before. Past the end they end the process in
// debug builds.
inline uint16_t LoadU16(ByteSpan bytes, size_t offset) {
  TP_DCHECK(offset <= bytes.size() && bytes.size() - offset >= 2);
  return static_cast<uint16_t>(bytes[offset] << 8 | bytes[offset + 1]);
}
inline uint32_t LoadU32(ByteSpan bytes, size_t offset) {
  return uint32_t{LoadU16(bytes, offset)} << 16 | LoadU16(bytes, offset + 2);
}
inline uint64_t LoadU64(ByteSpan bytes, size_t offset) {
  return uint64_t{LoadU32(bytes, offset)} << 32 | LoadU32(bytes, offset + 4);
}

// ByteReader reads big-endian numbers and slices from a span that must outlive it. Every read past
// the end returns nullopt and leaves the cursor where it was.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : bytes_(bytes) {}

  std::optional<uint8_t> ReadU8() {
    if (remaining() < 1) return std::nullopt;
    return bytes_[Advance(1)];
  }
  std::optional<uint16_t> ReadU16() {
    if (remaining() < 2) return std::nullopt;
    return LoadU16(bytes_, Advance(2));
  }
  std::optional<uint32_t> ReadU32() {
    if (remaining() < 4) return std::nullopt;
    return LoadU32(bytes_, Advance(4));
  }
  std::optional<uint64_t> ReadU64() {
    if (remaining() < 8) return std::nullopt;
    return LoadU64(bytes_, Advance(8));
  }

  // ReadBytes returns the next `size` bytes as a view into the input.
  std::optional<ByteSpan> ReadBytes(size_t size) {
    if (remaining() < size) return std::nullopt;
    return bytes_.subspan(Advance(size), size);
  }

  // remaining and position count bytes after and before the cursor.
  size_t remaining() const { return bytes_.size() - position_; }
  size_t position() const { return position_; }

 private:
  // Advance moves the cursor and returns where it was.
  size_t Advance(size_t count) {
    const size_t before = position_;
    position_ += count;
    return before;
  }

  ByteSpan bytes_;
  size_t position_ = 0;
};

// ByteWriter writes big-endian numbers and bytes into a buffer that must outlive it. A write that
// does not fit writes nothing and makes `ok()` false for good; the caller checks once at the end.
class ByteWriter {
 public:
  explicit ByteWriter(std::span<uint8_t> buffer) : buffer_(buffer) {}

  void WriteU8(uint8_t value) { WriteBigEndian<1>(value); }
  void WriteU16(uint16_t value) { WriteBigEndian<2>(value); }
  void WriteU32(uint32_t value) { WriteBigEndian<4>(value); }
  void WriteU64(uint64_t value) { WriteBigEndian<8>(value); }
  void WriteBytes(ByteSpan bytes) {
    const std::span<uint8_t> out = Take(bytes.size());
    if (ok_) std::copy(bytes.begin(), bytes.end(), out.begin());
  }
  void WriteZeros(size_t count) {
    const std::span<uint8_t> out = Take(count);
    std::fill(out.begin(), out.end(), uint8_t{0});
  }

  // PatchU16 overwrites two bytes that were written before at `offset`.
  void PatchU16(size_t offset, uint16_t value) {
    TP_CHECK(offset <= size_ && size_ - offset >= 2);
    buffer_[offset] = static_cast<uint8_t>(value >> 8);
    buffer_[offset + 1] = static_cast<uint8_t>(value);
  }

  bool ok() const { return ok_; }
  size_t size() const { return size_; }
  ByteSpan written() const { return buffer_.first(size_); }

 private:
  // Take reserves the next `count` bytes, or an empty span (and !ok) when they do not fit.
  std::span<uint8_t> Take(size_t count) {
    if (!ok_ || buffer_.size() - size_ < count) {
      ok_ = false;
      return {};
    }
    const std::span<uint8_t> taken = buffer_.subspan(size_, count);
    size_ += count;
    return taken;
  }

  template <size_t kBytes>
  void WriteBigEndian(uint64_t value) {
    const std::span<uint8_t> out = Take(kBytes);
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<uint8_t>(value >> (8 * (kBytes - 1 - i)));
    }
  }

  std::span<uint8_t> buffer_;
  size_t size_ = 0;
  bool ok_ = true;
};

}  // namespace turnpike
