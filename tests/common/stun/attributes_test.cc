#include "common/stun/attributes.h"

#include <doctest/doctest.h>

#include <set>

#include "tests/support/hex.h"

namespace turnpike::stun {
namespace {

using enum AttributeType;

constexpr TransactionId kId = {};

TEST_CASE("table: every row is found by its code, has a name of its own and can be met") {
  std::set<std::string_view> names;
  for (const AttributeInfo& row : AttributeTable()) {
    CAPTURE(row.name);
    CHECK(FindAttributeInfo(row.type) == &row);
    CHECK(names.insert(row.name).second);
    CHECK(row.rfc.starts_with("RFC "));
    CHECK(row.min_length <= row.max_length);
    CHECK(row.length_unit > 0);
    CHECK(row.min_length % row.length_unit == 0);
  }
  CHECK(FindAttributeInfo(static_cast<AttributeType>(0x7FFF)) == nullptr);
  CHECK(FindAttributeInfo(static_cast<AttributeType>(0xFFFF)) == nullptr);
}

TEST_CASE("table: shapes") {
  CHECK(HasValidShape(kLifetime, FromHex("00000001")));
  CHECK_FALSE(HasValidShape(kLifetime, FromHex("000001")));
  CHECK_FALSE(HasValidShape(kDontFragment, FromHex("00")));
  CHECK(HasValidShape(kEvenPort, FromHex("80")));
  CHECK_FALSE(HasValidShape(kUsername, std::vector<uint8_t>(509)));
  CHECK(HasValidShape(kUsername, std::vector<uint8_t>(508)));
  CHECK_FALSE(HasValidShape(kMessageIntegritySha256, std::vector<uint8_t>(18)));
  CHECK(HasValidShape(static_cast<AttributeType>(0x7FFF), FromHex("00")));
}

TEST_CASE("8489_14_1: an address must have the length of its family") {
  CHECK(DecodeAddress(FromHex("00010d96 cb007107"))->ToString() == "203.0.113.7:3478");
  CHECK(DecodeAddress(FromHex("ff010d96 cb007107")));  // the first byte is ignored
  for (const char* hex :
       {"", "00", "0001", "00010d96", "00010d96cb0071", "00010d96cb00710700", "00020d96cb007107",
        "00030d96cb007107", "00000d96cb007107", "00010d9600000000000000000000000000000000",
        "00020d96000000000000000000000000000000"}) {
    CAPTURE(hex);
    CHECK_FALSE(DecodeAddress(FromHex(hex)));
    CHECK_FALSE(DecodeXorAddress(FromHex(hex), kId));
  }
}

TEST_CASE("8489_14_2: the mask is the cookie and the transaction id") {
  CHECK(DecodeXorAddress(FromHex("00012c84 ea12d545"), kId)->ToString() == "203.0.113.7:3478");
  const auto v6 = FromHex("00020000 2112a442 00000000 00000000 00000001");
  CHECK(DecodeXorAddress(v6, kId)->ip.ToString() == "::1");
}

TEST_CASE("8489_14_8: codes outside 300-699 are malformed") {
  CHECK(DecodeErrorCode(FromHex("00000401"))->code == 401);
  CHECK(DecodeErrorCode(FromHex("fffffc01"))->code == 401);  // reserved bits are ignored
  CHECK(DecodeErrorCode(FromHex("00000663"))->code == 699);
  CHECK(DecodeErrorCode(FromHex("00000401 6869"))->reason == "hi");
  for (const char* hex : {"", "000004", "00000200", "00000700", "00000464", "000004ff"}) {
    CAPTURE(hex);
    CHECK_FALSE(DecodeErrorCode(FromHex(hex)));
  }
}

TEST_CASE("numbers of four bytes, nothing else") {
  CHECK(DecodeU32(FromHex("00000258")) == 600u);
  CHECK_FALSE(DecodeU32(FromHex("000258")));
  CHECK_FALSE(DecodeU32(FromHex("0000000258")));
}

}  // namespace
}  // namespace turnpike::stun
