#include "common/stun/integrity.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "tests/support/hex.h"

namespace turnpike::stun {
namespace {

bool Is(ByteSpan bytes, std::string_view hex) { return std::ranges::equal(bytes, FromHex(hex)); }

TEST_CASE("2202_3 and 4231_4_3: HMAC of a text, whole and in parts") {
  const ByteSpan key = AsBytes("Jefe");
  const ByteSpan text = AsBytes("what do ya want for nothing?");
  CHECK(Is(HmacSha1(key, {text}), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"));
  CHECK(Is(HmacSha256(key, {text}),
           "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
  CHECK(HmacSha1(key, {text.first(5), {}, text.subspan(5)}) == HmacSha1(key, {text}));
  CHECK(HmacSha1({}, {text}) != HmacSha1(key, {text}));
}

TEST_CASE("8489_9_2_2: long-term keys") {
  CHECK(Is(LongTermKeyMd5("user", "realm", "pass"), "8493fbc53ba582fb4c044c456bdc40eb"));
  CHECK(Is(LongTermKeySha256("user", "realm", "pass"),
           "07e934117abd40836e7c6329b54731b2b2d2a5f9a71f544922d75e0730d8251b"));
}

TEST_CASE("8489_B_1: USERHASH") {
  CHECK(Is(Userhash("マトリックス", "example.org"),
           "4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704"));
}

TEST_CASE("constant-time comparison is an equality") {
  CHECK(EqualConstantTime(AsBytes("abc"), AsBytes("abc")));
  CHECK_FALSE(EqualConstantTime(AsBytes("abc"), AsBytes("abd")));
  CHECK_FALSE(EqualConstantTime(AsBytes("abc"), AsBytes("ab")));
  CHECK(EqualConstantTime({}, {}));
}

TEST_CASE("4648_10: Base64") {
  CHECK(Base64({}) == "");
  CHECK(Base64(AsBytes("f")) == "Zg==");
  CHECK(Base64(AsBytes("fo")) == "Zm8=");
  CHECK(Base64(AsBytes("foobar")) == "Zm9vYmFy");
}

TEST_CASE("crc-32: the check value, and every length agrees with a byte-wise computation") {
  CHECK(Crc32(AsBytes("123456789")) == 0xCBF43926u);
  std::vector<uint8_t> bytes;
  for (size_t size = 0; size < 70; ++size) {
    uint32_t expected = ~0u;
    for (const uint8_t byte : bytes) {
      expected ^= byte;
      for (int bit = 0; bit < 8; ++bit) {
        expected = (expected >> 1) ^ ((expected & 1) != 0 ? 0xEDB88320u : 0u);
      }
    }
    CHECK(Crc32(bytes) == ~expected);
    bytes.push_back(static_cast<uint8_t>(size * 37 + 11));
  }
}

}  // namespace
}  // namespace turnpike::stun
