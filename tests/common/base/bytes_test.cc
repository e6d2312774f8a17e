#include "common/base/bytes.h"

#include <doctest/doctest.h>

#include <array>
#include <vector>

namespace turnpike {
namespace {

TEST_CASE("reader: numbers are big-endian and the cursor moves by their size") {
  const std::array<uint8_t, 15> bytes = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  ByteReader reader(bytes);
  CHECK(reader.ReadU8() == 0x01);
  CHECK(reader.ReadU16() == 0x0203);
  CHECK(reader.ReadU32() == 0x04050607u);
  CHECK(reader.ReadU64() == 0x08090a0b0c0d0e0fu);
  CHECK(reader.remaining() == 0);
  CHECK(reader.position() == 15);
}

TEST_CASE("reader: a read past the end fails and leaves the cursor where it was") {
  const std::array<uint8_t, 3> bytes = {1, 2, 3};
  ByteReader reader(bytes);
  CHECK_FALSE(reader.ReadU32());
  CHECK_FALSE(reader.ReadU64());
  CHECK_FALSE(reader.ReadBytes(4));
  CHECK_FALSE(reader.ReadBytes(static_cast<size_t>(-1)));
  CHECK(reader.position() == 0);
  CHECK(reader.ReadBytes(2)->data() == bytes.data());
  CHECK_FALSE(reader.ReadU16());
  CHECK(reader.ReadU8() == 3);
  CHECK_FALSE(reader.ReadU8());
  CHECK(reader.ReadBytes(0)->empty());
}

TEST_CASE("writer: writes in network order what a reader reads back") {
  std::array<uint8_t, 20> buffer;
  buffer.fill(0xEE);
  ByteWriter writer(buffer);
  writer.WriteU8(1);
  writer.WriteU16(0x0203);
  writer.WriteU32(0x04050607);
  writer.WriteU64(0x08090a0b0c0d0e0f);
  writer.WriteBytes(AsBytes("ab"));
  writer.WriteZeros(3);
  CHECK(writer.ok());
  CHECK(writer.size() == 20);
  writer.PatchU16(1, 0xBEEF);
  const std::vector<uint8_t> expected = {1,  0xBE, 0xEF, 4,  5,  6,   7,   8, 9, 10,
                                         11, 12,   13,   14, 15, 'a', 'b', 0, 0, 0};
  CHECK(std::vector<uint8_t>(writer.written().begin(), writer.written().end()) == expected);
}

TEST_CASE("writer: what does not fit is not written, and ok() stays false") {
  std::array<uint8_t, 4> buffer{};
  ByteWriter writer(buffer);
  writer.WriteU16(0x0102);
  writer.WriteU32(0x03040506);
  CHECK_FALSE(writer.ok());
  CHECK(writer.size() == 2);
  writer.WriteU8(7);  // would fit, but the message already misses a part
  CHECK_FALSE(writer.ok());
  CHECK(writer.size() == 2);
  CHECK(buffer == std::array<uint8_t, 4>{1, 2, 0, 0});
}

TEST_CASE("text and bytes view each other without a copy") {
  const std::string_view text = "abc";
  CHECK(AsText(AsBytes(text)).data() == text.data());
  CHECK(AsBytes("").empty());
}

TEST_CASE("load: numbers at an offset") {
  const std::array<uint8_t, 9> bytes = {0xFF, 1, 2, 3, 4, 5, 6, 7, 8};
  CHECK(LoadU16(bytes, 1) == 0x0102);
  CHECK(LoadU32(bytes, 1) == 0x01020304u);
  CHECK(LoadU64(bytes, 1) == 0x0102030405060708u);
}

}  // namespace
}  // namespace turnpike
